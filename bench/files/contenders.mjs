/**
 * Who seals and opens a file from path to path. Each gives functions that take paths, and that are ready: keys made, modules loaded.
 */

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { Readable, Transform, Writable } from "node:stream"
import { pipeline } from "node:stream/promises"

const STEP = { highWaterMark: 1 << 20 }
const read = (path) => createReadStream(path, STEP)
const write = (path) => createWriteStream(path, STEP)
/** Keys go from the process that seals to the one that opens beside the file. */
const keep = (path, key) => writeFile(`${path}.key`, key)
const kept = (path) => readFile(`${path}.key`)

/** A pipeline around one cipher, as it is written by hand: no chunks, so nothing is authentic before the end. */
async function raw() {
  return {
    async seal(from, to) {
      const [key, iv] = [randomBytes(32), randomBytes(12)]
      const cipher = createCipheriv("aes-256-gcm", key, iv)
      await pipeline(read(from), cipher, write(to))
      await keep(to, Buffer.concat([key, iv, cipher.getAuthTag()]))
    },
    async open(from, to) {
      const key = await kept(from)
      const cipher = createDecipheriv("aes-256-gcm", key.subarray(0, 32), key.subarray(32, 44))
      cipher.setAuthTag(key.subarray(44))
      await pipeline(read(from), cipher, write(to))
    },
  }
}

async function sealwire() {
  const { generateKeyPair, importPrivateKey } = await import("../../dist/index.js")
  const { exportPem } = await import("../../dist/keys.js")
  const { openFile, sealFile } = await import("../../dist/file.js")
  const { publicKey, privateKey } = await generateKeyPair({ modulusBits: 2048, extractable: true })
  const pem = await exportPem(privateKey)
  return {
    async seal(from, to) {
      await sealFile(from, to, { to: publicKey })
      await keep(to, pem)
    },
    async open(from, to) {
      await openFile(from, to, { with: await importPrivateKey((await kept(from)).toString()) })
    },
  }
}

async function age() {
  const { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } = await import("age-encryption")
  const identity = await generateX25519Identity()
  const recipient = await identityToRecipient(identity)
  return {
    async seal(from, to) {
      const encrypter = new Encrypter()
      encrypter.addRecipient(recipient)
      const encrypted = await encrypter.encrypt(Readable.toWeb(read(from)))
      await encrypted.pipeTo(Writable.toWeb(write(to)))
      await keep(to, identity)
    },
    async open(from, to) {
      const decrypter = new Decrypter()
      decrypter.addIdentity((await kept(from)).toString())
      const decrypted = await decrypter.decrypt(Readable.toWeb(read(from)))
      await decrypted.pipeTo(Writable.toWeb(write(to)))
    },
  }
}

/** With AEAD in chunks (RFC 9580), which is the faster of its two ciphers, and lets it release what it has verified. */
async function openpgp() {
  const pgp = await import("openpgp")
  const config = { aeadProtect: true, preferredAEADAlgorithm: pgp.enums.aead.gcm }
  const password = "the time of a password is not measured"
  // its web streams want whole steps, not what the pipe happens to carry
  const steps = (path) =>
    Readable.toWeb(
      read(path).pipe(new Transform({ ...STEP, transform: (chunk, _, done) => done(null, chunk) })),
    )
  return {
    async seal(from, to) {
      const message = await pgp.createMessage({ binary: steps(from), format: "binary" })
      const encrypted = await pgp.encrypt({ message, passwords: [password], format: "binary", config })
      await pipeline(Readable.fromWeb(encrypted), write(to))
      await keep(to, password)
    },
    async open(from, to) {
      const message = await pgp.readMessage({ binaryMessage: steps(from) })
      const { data } = await pgp.decrypt({
        message,
        passwords: [(await kept(from)).toString()],
        format: "binary",
        config,
      })
      await pipeline(Readable.fromWeb(data), write(to))
    },
  }
}

export const contenders = { raw, sealwire, "age-encryption": age, openpgp }
