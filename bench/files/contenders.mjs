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

const PASSWORD = "the time of a password is not measured"

/** Its web streams want whole steps, not what the pipe happens to carry. */
const steps = (path) =>
  Readable.toWeb(
    read(path).pipe(new Transform({ ...STEP, transform: (chunk, _, done) => done(null, chunk) })),
  )

async function openpgp(config) {
  const pgp = await import("openpgp")
  return {
    async seal(from, to) {
      const message = await pgp.createMessage({ binary: steps(from), format: "binary" })
      const encrypted = await pgp.encrypt({ message, passwords: [PASSWORD], format: "binary", config })
      await pipeline(Readable.fromWeb(encrypted), write(to))
      await keep(to, PASSWORD)
    },
    async open(from, to) {
      const message = await pgp.readMessage({ binaryMessage: steps(from), config })
      const passwords = [(await kept(from)).toString()]
      const { data } = await pgp.decrypt({ message, passwords, format: "binary", config })
      await pipeline(Readable.fromWeb(data), write(to))
    },
  }
}

/** As it seals by itself: CFB, and a hash at the end. It opens that as a stream only where it may release what nothing has verified. */
const openpgpDefault = () => openpgp({ allowUnauthenticatedStream: true })

/** AEAD in chunks (RFC 9580) by GCM, which lets it release what it has verified. */
async function openpgpAead() {
  const { enums } = await import("openpgp")
  return openpgp({ aeadProtect: true, preferredAEADAlgorithm: enums.aead.gcm })
}

export const contenders = {
  raw,
  sealwire,
  "age-encryption": age,
  openpgp: openpgpDefault,
  "openpgp, AEAD": openpgpAead,
}
