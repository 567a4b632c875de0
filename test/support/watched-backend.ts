/**
 * A backend whose secrets are told: content keys and what they seal, session secrets, and all that is derived from either.
 * What is public of it is not: nonces, names of record keys, pseudonyms.
 *
 * @module
 */

import type { Bytes } from "../../src/base/bytes.ts"
import type { Backend, MaybePromise } from "../../src/crypto/backend.ts"

/** Takes what must not show. */
export interface Tell {
  /** Random bytes. */
  secret(name: string, bytes: Uint8Array): void
  /** A message, or a part of it. */
  text(name: string, bytes: Uint8Array): void
}

/** Names of messages; whoever opens an envelope may show them. */
export const MESSAGE = "a message"

/** By label of `expand`: what its key is, and what comes out, where that is secret. docs/protocol.md §1. */
const DERIVATIONS: Readonly<Record<string, readonly [key: string, output?: string]>> = {
  nonce: ["a seed"],
  reply: ["an exported secret", "a content key"],
  session: ["an exported secret", "a session secret"],
  stream: ["an exported secret", "a key of a stream"],
  frames: ["an exported secret", "a key of frames"],
  rekey: ["a key of frames", "a key of frames"],
  message: ["a session secret", "a content key"],
  channel: ["a session secret", "a content key"],
  each: ["a session secret", "a session's proof"],
  "session record": ["a key for records", "a key of a record"],
  "operation record": ["a key for records", "a key of a record"],
  pseudonym: ["a key for pseudonyms"],
}

const LENGTH_BYTES = 8
const LABEL = "sealwire/1 "
/** Digest, seed, and the length of the signature. docs/protocol.md §3.2. */
const FIXED_BYTES = 66
const HEAD = /^\{"headers":\[.*\],"(?:method|status)":/s

/** Ids and thumbprints, which handlers of tests answer: they are public. */
const ID = /^[\w-]{22}$|^[\w-]{43}$/

function derivationOf(data: Bytes): (typeof DERIVATIONS)[string] {
  const length = data[LENGTH_BYTES - 1] ?? 0
  const label = Buffer.from(data.subarray(LENGTH_BYTES, LENGTH_BYTES + length)).toString("latin1")
  const name = label.startsWith(LABEL) ? label.slice(LABEL.length) : ""
  return DERIVATIONS[name] ?? [""]
}

/** Of a request or a response the body, and credentials: nobody logs a message as a whole, with its head (docs/protocol.md §8). */
function tellMessage(tell: Tell, message: Buffer): void {
  const headBytes = message.length < 4 ? 0 : message.readUInt32BE()
  const head = message.subarray(4, 4 + headBytes).toString()
  tell.text(MESSAGE, message)
  if (!HEAD.test(head)) return
  const body = message.subarray(4 + headBytes)
  if (!ID.test(body.toString("latin1"))) tell.text(MESSAGE, body)
  for (const [, credential = ""] of head.matchAll(/\["authorization","\w+ ([^" ]+)"\]/g)) {
    tell.secret("a credential", Buffer.from(credential.slice(-32)))
  }
}

function tellPlaintext(tell: Tell, plaintext: Bytes): void {
  if (plaintext.length < FIXED_BYTES) return
  const bytes = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.length)
  const signatureBytes = bytes.readUInt16BE(FIXED_BYTES - 2)
  tellMessage(tell, bytes.subarray(FIXED_BYTES + signatureBytes))
}

/** Looks at a value as soon as it is there. */
function look<T>(value: MaybePromise<T>, at: (value: T) => void): MaybePromise<T> {
  if (value instanceof Promise) {
    return value.then((settled) => {
      at(settled)
      return settled
    })
  }
  at(value)
  return value
}

/** The same backend, but everything secret that it is given or gives is told. */
export function watchBackend<Watched extends Backend>(backend: Watched, tell: Tell): Watched {
  const watching: Pick<Backend, "hmacSha256" | "sealAesGcm" | "openAesGcm" | "importAesKey"> = {
    hmacSha256(key, data) {
      const [keyName, outputName] = derivationOf(data)
      if (keyName === "") return backend.hmacSha256(key, data)
      tell.secret(keyName, key)
      return look(backend.hmacSha256(key, data), (output) => {
        if (outputName !== undefined) tell.secret(outputName, output)
      })
    },
    sealAesGcm(key, iv, aad, plaintext) {
      tell.secret("a content key", key)
      tellPlaintext(tell, plaintext)
      return backend.sealAesGcm(key, iv, aad, plaintext)
    },
    openAesGcm(key, iv, aad, sealed) {
      tell.secret("a content key", key)
      return look(backend.openAesGcm(key, iv, aad, sealed), (plaintext) => {
        tellPlaintext(tell, plaintext)
      })
    },
    importAesKey(key) {
      tell.secret("a key of many chunks", key)
      return backend.importAesKey(key)
    },
  }
  return { ...backend, ...watching }
}
