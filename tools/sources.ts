/** Where the tests find the package: in src/, with the files that package.json#imports would choose on a platform. */

import { fileURLToPath } from "node:url"

interface Alias {
  find: RegExp
  replacement: string
}

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

export function sourceAliases(platform: "node" | "web"): Alias[] {
  const base64url = platform === "node" ? "base/base64url-node.ts" : "base/base64url.ts"
  return [
    { find: /^#backend$/, replacement: source(`crypto/${platform}.ts`) },
    { find: /^#base64url$/, replacement: source(base64url) },
    { find: /^sealwire$/, replacement: source("index.ts") },
    { find: /^sealwire\/(.+)$/, replacement: source("$1.ts") },
  ]
}
