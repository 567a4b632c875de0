/** The script of a crew's workers, built as it is for the package: a thread loads no TypeScript. */

import { fileURLToPath } from "node:url"

import { build } from "esbuild"

const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))

export async function buildSegmentWorker(outfile: string): Promise<void> {
  await build({
    entryPoints: [source("stream/segment-worker.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    alias: { "#backend": source("crypto/node.ts"), "#base64url": source("base/base64url-node.ts") },
  })
}
