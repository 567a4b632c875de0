/**
 * What a page of `files-browser.mjs` does: seals and opens one Blob by one contender. Each contender gives functions from a Blob to a
 * stream, and is ready: keys made, modules loaded.
 */

import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption"

import { generateKeyPair } from "../../src/index.ts"
import { openStream, sealStream } from "../../src/stream.ts"

const MIB = 1024 * 1024
const WARM_MIB = 8
const PIECE_BYTES = 65_536
const BATCH_PIECES = 16
const TAG_BYTES = 16

async function sealwire() {
  const { publicKey, privateKey } = await generateKeyPair({ modulusBits: 2048 })
  return {
    seal: async (blob) => sealStream(blob, { to: publicKey }),
    open: async (blob) => (await openStream(blob, { with: privateKey })).stream,
  }
}

async function age() {
  const identity = await generateX25519Identity()
  const encrypter = new Encrypter()
  encrypter.addRecipient(await identityToRecipient(identity))
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  return {
    seal: (blob) => encrypter.encrypt(blob.stream()),
    open: (blob) => decrypter.decrypt(blob.stream()),
  }
}

/** Pieces of one size, so many of which are given to WebCrypto at once. */
function pieces(blob, pieceBytes, work) {
  const reader = blob.stream().getReader()
  const buffer = new Uint8Array(BATCH_PIECES * pieceBytes)
  let left = new Uint8Array(0)
  let at = 0
  async function fill() {
    let length = 0
    while (length < buffer.length) {
      if (left.length === 0) {
        const { done, value } = await reader.read()
        if (done) break
        left = value
      }
      const part = left.subarray(0, buffer.length - length)
      buffer.set(part, length)
      left = left.subarray(part.length)
      length += part.length
    }
    return length
  }
  return new ReadableStream({
    async pull(controller) {
      const length = await fill()
      const made = []
      for (let from = 0; from < length; from += pieceBytes) {
        const iv = new Uint8Array(12)
        new DataView(iv.buffer).setFloat64(4, at++)
        made.push(work({ name: "AES-GCM", iv }, buffer.subarray(from, Math.min(from + pieceBytes, length))))
      }
      for (const piece of await Promise.all(made)) controller.enqueue(new Uint8Array(piece))
      if (length < buffer.length) controller.close()
    },
  })
}

/** No header, no order that is proven, no end: what the cipher and the Blob cost in such pieces, and nothing else. */
async function raw() {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"])
  return {
    seal: async (blob) => pieces(blob, PIECE_BYTES, (how, piece) => crypto.subtle.encrypt(how, key, piece)),
    open: async (blob) =>
      pieces(blob, PIECE_BYTES + TAG_BYTES, (how, piece) => crypto.subtle.decrypt(how, key, piece)),
  }
}

const CONTENDERS = { sealwire, "age-encryption": age, raw }

/** Reads a stream to its end, and keeps nothing of it. */
async function drain(stream) {
  const reader = stream.getReader()
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return bytes
    bytes += value.length
  }
}

const asBlob = async (stream) => new Response(stream).blob()

let random
let contender
let blobs

function blobOf(mib) {
  if (!random) {
    random = new Uint8Array(MIB)
    for (let at = 0; at < MIB; at += 65_536) crypto.getRandomValues(random.subarray(at, at + 65_536))
  }
  return new Blob(Array.from({ length: mib }, () => random))
}

async function isSame(blob, other) {
  if (blob.size !== other.size) return false
  for (let at = 0; at < blob.size; at += MIB) {
    const parts = [blob, other].map((each) => each.slice(at, at + MIB).arrayBuffer())
    const [one, two] = (await Promise.all(parts)).map((part) => new BigUint64Array(part))
    if (one.some((word, i) => word !== two[i])) return false
  }
  return true
}

/** Makes the contender and its Blobs; what it opens must be what it sealed. */
export async function prepare(name, mib) {
  contender = await CONTENDERS[name]()
  const warm = blobOf(WARM_MIB)
  const opened = await asBlob(await contender.open(await asBlob(await contender.seal(warm))))
  if (!(await isSame(opened, warm))) throw new Error(`${name} opened something else than it had sealed`)
  const plain = blobOf(mib)
  blobs = { seal: plain, open: await asBlob(await contender.seal(plain)) }
}

/** Seals or opens once; gives the milliseconds that it took. */
export async function turn(work) {
  const start = performance.now()
  const bytes = await drain(await contender[work](blobs[work]))
  const ms = performance.now() - start
  const expected = work === "open" ? blobs.seal.size : blobs.open.size
  // the heads of age have a random length
  if (Math.abs(bytes - expected) > 1024) throw new Error(`${work} gave ${bytes} bytes, not ${expected}`)
  return ms
}
