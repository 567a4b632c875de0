import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url))

/** The tests run on the sources, so `package.json#imports`, which names built files, is repeated here. */
const imports = (platform: "node" | "web"): Record<string, string> => ({
  "#backend": source(`crypto/${platform}.ts`),
  "#base64url": source(platform === "node" ? "base/base64url-node.ts" : "base/base64url.ts"),
})

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: imports("node") },
        test: { name: "node", include: ["test/**/*.test.ts"], exclude: ["test/browser/**"] },
      },
    ],
  },
})
