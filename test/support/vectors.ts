import { readFileSync } from "node:fs"

import type { Bytes } from "../../src/base/bytes.ts"
import type { Jwk } from "../../src/crypto/backend.ts"

/** A known answer: one envelope and its reply. */
export interface KnownAnswer {
  readonly name: string
  readonly context: string
  /** Hex, or the rule of a long one. */
  readonly message: string | { readonly byte_i: "i*7 mod 256"; readonly length: number }
  readonly message_sha256: string
  readonly recipient: "recipient" | "recipient_3072"
  readonly signer: string | null
  readonly iat: number
  readonly seed: string
  readonly iv: string
  readonly cek: string
  readonly id: string
  readonly context_hash: string
  readonly claim_id: string
  readonly envelope: string
  readonly reply: {
    readonly message: string
    readonly seed: string
    readonly iv: string
    readonly envelope: string
  }
}

/** A sealed file. */
export interface KnownFile {
  readonly context: string
  readonly plaintext: { readonly byte_i: "i mod 251"; readonly length: number }
  readonly metadata: string
  readonly file_sha256: string
  readonly file_b64_standard: string
}

/** A document with sealed fields as the body of an HTTP message. */
export interface KnownDocument {
  readonly clear_rest: string
  readonly m: string
  readonly seed: string
  readonly iv: string
  readonly body: { readonly $sealed: string }
}

/** The file of docs/protocol.md §12, as far as these tests read it. */
export interface KnownAnswers {
  readonly recipient: Jwk
  readonly recipient_3072: Jwk
  readonly signer: Jwk
  readonly signer_es256: Jwk
  readonly cases: readonly KnownAnswer[]
  readonly directory: string
  readonly session: {
    readonly offer: string
    readonly opening: string
    readonly opening_seed: string
    readonly secret: string
    readonly sid: string
    readonly context: string
    readonly message: {
      readonly envelope: string
      readonly seed: string
      readonly plaintext: string
      readonly claim_id: string
    }
    readonly each: { readonly envelope: string; readonly plaintext: string }
    readonly channel: {
      readonly envelope: string
      readonly reply: string
      readonly reply_seed: string
      readonly frames: readonly {
        readonly direction: "c2s" | "s2c"
        readonly counter: number
        readonly kind: number
        readonly payload: string
        readonly frame: string
      }[]
    }
  }
  readonly fields: {
    readonly outer_context: string
    readonly document: object
    readonly sealed: { readonly $sealed: string }
  }
  readonly fields_http: {
    readonly origin: string
    readonly iat: number
    readonly request: KnownDocument & { readonly cek: string }
    readonly reply: KnownDocument
  }
  readonly file: KnownFile
}

const file = new URL("../../vectors/known-answers.json", import.meta.url)

export const knownAnswers = JSON.parse(readFileSync(file, "utf8")) as KnownAnswers

export function hex(text: string): Bytes {
  return new Uint8Array(Buffer.from(text, "hex"))
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex")
}

/** The message of a known answer. */
export function messageOf({ message }: KnownAnswer): Bytes {
  if (typeof message === "string") return hex(message)
  return Uint8Array.from({ length: message.length }, (_, i) => (i * 7) % 256)
}

/** The public members of a private JWK. */
export function publicJwk({ d, p, q, dp, dq, qi, ...members }: Jwk): Jwk {
  return members
}
