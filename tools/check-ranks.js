/** The import ranks of .dependency-cruiser.cjs hold in src/, and each of them refuses a seeded violation. */

import { cp, mkdir, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"

import { cruise } from "dependency-cruiser"
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options"
import extractTSConfig from "dependency-cruiser/config-utl/extract-ts-config"

import { root } from "./run.js"
import { temporaryFolder } from "./temporary-folder.js"

/**
 * Rule → files of a tiny source tree that break it.
 *
 * @type {Record<string, Record<string, string>>}
 */
const seeds = {
  "rank-base": { "base/bytes.ts": `import "../crypto/sizes.ts"`, "crypto/sizes.ts": "" },
  "rank-crypto": {
    "crypto/web.ts": `import type { A } from "../keys/jwk.ts"`,
    "keys/jwk.ts": "export type A = 1",
  },
  "rank-keys": { "keys/ring.ts": `import "../replay/guard.ts"`, "replay/guard.ts": "" },
  "rank-key-ring": { "key-ring/ring.ts": `import "../envelope/open.ts"`, "envelope/open.ts": "" },
  "rank-replay": { "replay/guard.ts": `import "../envelope/header.ts"`, "envelope/header.ts": "" },
  "rank-envelope": { "envelope/seal.ts": `import "../http/message.ts"`, "http/message.ts": "" },
  "rank-api-keys": { "api-keys/record.ts": `import "../keys/jwk.ts"`, "keys/jwk.ts": "" },
  "rank-signing-keys": { "signing-keys/record.ts": `import "../keys/jwk.ts"`, "keys/jwk.ts": "" },
  "rank-idempotency": { "idempotency/store.ts": `import "../http/message.ts"`, "http/message.ts": "" },
  "rank-stores": { "stores/redis.ts": `import "../keys/jwk.ts"`, "keys/jwk.ts": "" },
  "no-cycles": {
    "keys/jwk.ts": `import type { B } from "./pem.ts"\nexport type A = B`,
    "keys/pem.ts": `import type { A } from "./jwk.ts"\nexport type B = A`,
  },
  "types-only": { "stores/redis.ts": `import "../replay/store.ts"`, "replay/store.ts": "" },
  "backends-apart": { "crypto/noble.ts": `import "./node.ts"`, "crypto/node.ts": "" },
  "backend-by-condition": { "keys/jwk.ts": `import "../crypto/node.ts"`, "crypto/node.ts": "" },
  "noble-by-its-door": { "keys/jwk.ts": `import "../crypto/noble.ts"`, "crypto/noble.ts": "" },
  "doors-apart": { "keys.ts": `import "./replay.ts"`, "replay.ts": "" },
  "rank-node-http": { "node-http/answer.ts": `import "../envelope/seal.ts"`, "envelope/seal.ts": "" },
  "adapters-stay-thin": { "adapters/node.ts": `import "../server/endpoint.ts"`, "server/endpoint.ts": "" },
  "adapters-apart": { "adapters/hono.ts": `import "./node.ts"`, "adapters/node.ts": "" },
  "cli-is-a-user": { "cli/main.ts": `import "../keys/jwk.ts"`, "keys/jwk.ts": "" },
  "root-stays-small": {
    "index.ts": `import "./envelope/seal.ts"`,
    "envelope/seal.ts": `import "../stores/redis.ts"`,
    "stores/redis.ts": "",
  },
  "declared-packages-only": { "keys/jwk.ts": `import "vitest"` },
  resolvable: { "keys/jwk.ts": `import "./nowhere.ts"` },
}

/**
 * The violations in the source tree `folder`/src.
 *
 * @param {string} folder
 * @returns {Promise<{ rule: string, from: string, to: string }[]>}
 */
async function violations(folder) {
  const options = await extractDepcruiseOptions(join(root, ".dependency-cruiser.cjs"))
  const tsConfig = extractTSConfig(join(root, "tsconfig.json"))
  const { output } = await cruise(["src"], { ...options, baseDir: folder }, undefined, { tsConfig })
  if (typeof output === "string") throw new Error(output)
  return output.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }))
}

/**
 * Builds a tree that breaks one rule, and expects to be told.
 *
 * @param {string} rule
 * @param {Record<string, string>} files
 */
async function assertRefused(rule, files) {
  // inside the repository, so that packages resolve as they do in src/
  await mkdir(join(root, "temp"), { recursive: true })
  const folder = temporaryFolder("ranks", join(root, "temp"))
  try {
    await cp(join(root, "package.json"), join(folder, "package.json"))
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, "src", name)), { recursive: true })
      await writeFile(join(folder, "src", name), text)
    }
    const found = await violations(folder)
    if (!found.some((violation) => violation.rule === rule))
      throw new Error(`${rule} does not see what breaks it`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** @returns {Promise<string>} */
export async function check() {
  const found = await violations(root)
  if (found.length > 0)
    throw new Error(found.map(({ rule, from, to }) => `${rule}: ${from} → ${to}`).join("\n"))
  for (const [rule, files] of Object.entries(seeds)) await assertRefused(rule, files)
  return `${Object.keys(seeds).length} seeded violations refused`
}
