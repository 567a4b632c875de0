/** The library under test: bundled from the sources as they are now, or with `--dist` what was built last. */

import { rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

import { temporaryFolder } from "../../tools/temporary-folder.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** @returns {Promise<typeof import("../../src/index.ts")>} */
export async function loadSubject(built = false) {
  if (built) return import(pathToFileURL(join(root, "dist/index.js")).href)
  const { build } = await import("esbuild")
  const folder = temporaryFolder("bench")
  const outfile = join(folder, "sealwire.mjs")
  try {
    await build({
      absWorkingDir: root,
      entryPoints: ["src/index.ts"],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      alias: { "#backend": "./src/crypto/node.ts", "#base64url": "./src/base/base64url-node.ts" },
      logLevel: "error",
    })
    return await import(pathToFileURL(outfile).href)
  } finally {
    await rm(folder, { recursive: true })
  }
}
