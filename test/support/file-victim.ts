/** Seals and opens a file again and again until it is killed. Started by test/stream/killed.test.ts, as JavaScript. */

import { rm } from "node:fs/promises"

import { importPrivateKey, importPublicKey } from "sealwire"
import { openFile, sealFile } from "sealwire/file"

const [plain = "", sealed = "", opened = "", jwk = ""] = process.argv.slice(2)
const key = JSON.parse(jwk) as { kty: string; n: string; e: string }
const to = await importPublicKey({ kty: key.kty, n: key.n, e: key.e })
const reader = await importPrivateKey(key)

process.stdout.write("ready\n")
for (;;) {
  await sealFile(plain, sealed, { to })
  await openFile(sealed, opened, { with: reader })
  await rm(sealed)
  await rm(opened)
}
