/**
 * A process that leaks on purpose: its arguments name a secret, or a command that shows one by design; and where it writes it.
 *
 * @module
 */

import { backend } from "#backend"

import { seal } from "../../src/envelope/seal.ts"
import { generateKeyPair } from "../../src/keys/recipient.ts"
import type { Bytes } from "../../src/base/bytes.ts"
import { expand } from "../../src/crypto/derive.ts"
import { exportJwk } from "../../src/keys/export-jwk.ts"

const MESSAGE = "what a process opens is for its user only"
const NOTHING = new Uint8Array(0)

const random = (): Bytes => backend.randomBytes(32)

async function privateMember(): Promise<Uint8Array> {
  const { privateKey } = await generateKeyPair({ modulusBits: 2048, extractable: true })
  return Buffer.from(String((await exportJwk(privateKey))["d"]), "base64url")
}

async function sealed(): Promise<Uint8Array> {
  const { publicKey } = await generateKeyPair({ modulusBits: 2048 })
  await seal(MESSAGE, { to: publicKey })
  return Buffer.from(MESSAGE)
}

/** A key that was used for something. */
async function used(use: (key: Bytes) => unknown): Promise<Uint8Array> {
  const key = random()
  await use(key)
  return key
}

const MAKE: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  "a content key": () => used((key) => backend.sealAesGcm(key, random().slice(0, 12), NOTHING, NOTHING)),
  "a session secret": async () => expand(backend, random(), "session", NOTHING),
  "an exported secret": () => used((key) => expand(backend, key, "reply", random())),
  "a seed": () => used((key) => expand(backend, key, "nonce", NOTHING)),
  "a private key (d)": privateMember,
  "a message": sealed,
  open: sealed,
}

const [name = "", where = "", more = ""] = process.argv.slice(2)
const secret = await MAKE[name]?.()
const other = await MAKE[more]?.()
const text = secret === undefined ? more : Buffer.from(other ?? secret).toString("hex")
if (where === "pieces") {
  process.stdout.write(text.slice(0, 20))
  await new Promise((resolve) => setTimeout(resolve, 100))
  process.stdout.write(`${text.slice(20)}\n`)
} else {
  process[where === "stdout" ? "stdout" : "stderr"].write(`${text}\n`)
}
