/**
 * The protected header: bytes ⇄ fields, no cryptography. docs/protocol.md §3.1.
 * One anchored pattern for each type; no JSON parser ever sees a header, so all deviations fail the same way.
 *
 * @module
 */

/** `typ`. */
export type EnvelopeType = "sw1" | "sw1-open" | "sw1-session" | "sw1-reply" | "sw1-channel" | "sw1-stream"

/** How the content key reaches the reader: `alg`. */
export type KeyManagement = "RSA-OAEP-256" | "dir"

/** The fields of a header; `alg` follows from `type`, and `enc` is fixed. */
export interface Header {
  readonly type: EnvelopeType
  /** `ctx`: 43 characters. */
  readonly contextHash: string
  /** `iat`: Unix seconds, ten digits. */
  readonly issuedAtSeconds: number
  /** `jti`: 22 characters. */
  readonly id: string
  /** `kid`: a thumbprint (43) or a session id (22). */
  readonly kid: string
}

interface TypeRow {
  readonly alg: KeyManagement
  readonly kidLengths: readonly (22 | 43)[]
}

/** The table of §3.1. */
export const ENVELOPE_TYPES: Readonly<Record<EnvelopeType, TypeRow>> = {
  sw1: { alg: "RSA-OAEP-256", kidLengths: [43] },
  "sw1-open": { alg: "RSA-OAEP-256", kidLengths: [43] },
  "sw1-session": { alg: "dir", kidLengths: [22] },
  "sw1-reply": { alg: "dir", kidLengths: [43, 22] },
  "sw1-channel": { alg: "dir", kidLengths: [22] },
  "sw1-stream": { alg: "RSA-OAEP-256", kidLengths: [43] },
}

/** Canonical base64url of 32 and of 16 bytes: in the last character, the bits that no byte fills are zero. */
const THUMBPRINT = "[\\w-]{42}[AEIMQUYcgkosw048]"
const SIXTEEN_BYTES = "[\\w-]{21}[AQgw]"
const KID = { 43: THUMBPRINT, 22: SIXTEEN_BYTES }

/** The header's bytes, as ASCII text: RFC 8785 order, no spaces. */
export function serializeHeader({ type, contextHash, issuedAtSeconds, id, kid }: Header): string {
  const { alg } = ENVELOPE_TYPES[type]
  return `{"alg":"${alg}","ctx":"${contextHash}","enc":"A256GCM","iat":${issuedAtSeconds},"jti":"${id}","kid":"${kid}","typ":"${type}"}`
}

interface Grammar {
  readonly pattern: RegExp
  readonly segmentLengths: readonly number[]
}

function grammarOf(type: EnvelopeType): Grammar {
  const { alg, kidLengths } = ENVELOPE_TYPES[type]
  const kid = kidLengths.map((length) => KID[length]).join("|")
  const fixed = '{"alg":"","ctx":"","enc":"A256GCM","iat":,"jti":"","kid":"","typ":""}'.length
  return {
    pattern: new RegExp(
      `^\\{"alg":"${alg}","ctx":"(${THUMBPRINT})","enc":"A256GCM","iat":([1-9]\\d{9}),"jti":"(${SIXTEEN_BYTES})","kid":"(${kid})","typ":"${type}"\\}$`,
    ),
    segmentLengths: kidLengths.map((length) =>
      Math.ceil(((fixed + alg.length + 43 + 10 + 22 + length + type.length) * 4) / 3),
    ),
  }
}

const grammars: Partial<Record<EnvelopeType, Grammar>> = {}
const grammar = (type: EnvelopeType): Grammar => (grammars[type] ??= grammarOf(type))

/** The fields of a header of that type; undefined for anything else. */
export function parseHeader(text: string, type: EnvelopeType): Header | undefined {
  const match = grammar(type).pattern.exec(text)
  if (!match) return undefined
  const [, contextHash = "", issuedAt, id = "", kid = ""] = match
  return { type, contextHash, issuedAtSeconds: Number(issuedAt), id, kid }
}

/** Characters of the header segment, for each length of `kid` that the type allows. */
export function headerSegmentLengths(type: EnvelopeType): readonly number[] {
  return grammar(type).segmentLengths
}
