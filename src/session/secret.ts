/**
 * The secret of a session, and the keys that come of it. docs/protocol.md §6 step 4.
 *
 * @module
 */

import { type Bytes, concat, concatPrefixed, NOTHING } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { encodeAscii, type Label, label } from "../base/text.ts"
import type { Backend, CryptoKeyLike, MaybePromise } from "../crypto/backend.ts"
import { expand } from "../crypto/derive.ts"
import { subtle } from "../crypto/subtle.ts"
import { contextHashOf } from "../envelope/context.ts"
import { type EnvelopeEnd, exportSecret } from "../envelope/exporter.ts"

const ONE = new Uint8Array([1])

/** What derives a session's keys. */
export interface SessionSecret {
  /** `expand(secret, name, data)` */
  expand(name: Label, data: Bytes): MaybePromise<Bytes>
}

/** The secret as bytes, which can be wiped. Once they are, it derives nothing: zeros would be a key that anyone knows. */
export class SecretBytes implements SessionSecret {
  readonly #backend: Backend
  #bytes: Bytes | undefined

  /** Takes `bytes` over, and wipes them. */
  constructor(backend: Backend, bytes: Bytes) {
    this.#backend = backend
    // V8 keeps short arrays in its heap, where each collection moves them and leaves a copy; a buffer by itself stays in one place
    this.#bytes = new Uint8Array(new ArrayBuffer(bytes.length))
    this.#bytes.set(bytes)
    bytes.fill(0)
  }

  /** A view of the secret, to store it elsewhere; undefined once it is wiped. */
  get bytes(): Bytes | undefined {
    return this.#bytes
  }

  expand(name: Label, data: Bytes): MaybePromise<Bytes> {
    if (!this.#bytes) throw new SealwireError("ERR_NO_SESSION", "the session has ended")
    return expand(this.#backend, this.#bytes, name, data)
  }

  /** Forgets the secret. */
  wipe(): void {
    this.#bytes?.fill(0)
    this.#bytes = undefined
  }
}

/** The secret as an HMAC key of WebCrypto's that cannot be exported: what a browser can keep. */
export function secretOfCryptoKey(key: CryptoKeyLike): SessionSecret {
  return {
    expand: async (name, data) =>
      new Uint8Array(await subtle().sign("HMAC", key as CryptoKey, concat(label(name), data, ONE))),
  }
}

/** Makes such a key of a secret's bytes. */
export async function cryptoKeyOfSecret(bytes: Bytes): Promise<CryptoKeyLike> {
  return subtle().importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"])
}

/** `expand(X of sw1-open, "session")`; `end` is either end of the opening. */
export async function sessionSecretOf({ backend, envelope, seed }: EnvelopeEnd): Promise<SecretBytes> {
  const exported = await exportSecret(backend, encodeAscii(envelope), seed)
  const secret = await expand(backend, exported, "session", NOTHING)
  exported.fill(0)
  return new SecretBytes(backend, secret)
}

/** The context hash of a message in mode `each`: `lp(the application's context) ‖ expand(secret, "each", jti)`. */
export async function eachContextHash(
  backend: Backend,
  secret: SessionSecret,
  context: Bytes,
  nonce: Bytes,
): Promise<string> {
  const proof = await secret.expand("each", nonce)
  return contextHashOf(backend, concatPrefixed(NOTHING, [context], proof))
}
