/**
 * What an envelope says about itself, without a key. Nothing of it is proven: for display only.
 * docs/protocol.md §3.1 and §3.2, all six types.
 *
 * @module
 */

import { CommandError } from "./failure.ts"

type EnvelopeType = "sw1" | "sw1-open" | "sw1-session" | "sw1-reply" | "sw1-channel" | "sw1-stream"

/** What stands in the header, and the sizes of the rest. */
export interface EnvelopeSummary {
  readonly type: EnvelopeType
  readonly meaning: string
  readonly alg: string
  readonly kid: string
  readonly id: string
  readonly issuedAtSeconds: number
  readonly contextHash: string
  readonly contextIsEmpty: boolean
  /** Bits of the recipient's modulus; undefined where no key is wrapped. */
  readonly modulusBits: number | undefined
  readonly envelopeCharacters: number
  readonly messageAndSignatureBytes: number
}

const RSA = "RSA-OAEP-256"

/** The table of §3.1, in words. */
const TYPES: Readonly<Record<EnvelopeType, { readonly meaning: string; readonly alg: string }>> = {
  sw1: { meaning: "a message or request", alg: RSA },
  "sw1-open": { meaning: "the opening of a session", alg: RSA },
  "sw1-session": { meaning: "a message in a session", alg: "dir" },
  "sw1-reply": { meaning: "the reply to an envelope", alg: "dir" },
  "sw1-channel": { meaning: "the opening of a channel", alg: "dir" },
  "sw1-stream": { meaning: "the head of a file or stream", alg: RSA },
}

const HEADER =
  /^\{"alg":"(RSA-OAEP-256|dir)","ctx":"([\w-]{43})","enc":"A256GCM","iat":([1-9]\d{9}),"jti":"([\w-]{22})","kid":"([\w-]{43}|[\w-]{22})","typ":"(sw1(?:-[a-z]+)?)"\}$/

/** `b64u(H256(label("context") ‖ lp("")))` */
const EMPTY_CONTEXT_HASH = "4Erk97hlhNOdVJzDyn_Mn06LipMRTgH2QV8PiT9j4yM"

/** Digest, seed and the length of the signature: what stands before signature and message. */
const FIXED_BYTES = 66

function refuse(reason: string): never {
  throw new CommandError("ERR_FORMAT", `not an envelope: ${reason}`)
}

/** The length of a segment in bytes. */
function bytesOf(segment: string, name: string): number {
  const bytes = Buffer.from(segment, "base64url")
  if (bytes.toString("base64url") !== segment) refuse(`the ${name} is not canonical base64url`)
  return bytes.length
}

function splitSegments(envelope: string): readonly [string, string, string, string, string] {
  // six at most: a million dots make no million strings
  const segments = envelope.split(".", 6)
  const [header, encryptedKey, iv, ciphertext, tag] = segments
  if (segments.length !== 5 || tag === undefined) refuse("it must have five segments between four dots")
  return [header ?? "", encryptedKey ?? "", iv ?? "", ciphertext ?? "", tag]
}

/** Reads the header and measures the rest. */
export function summarize(envelope: string): EnvelopeSummary {
  const [header, encryptedKey, iv, ciphertext, tag] = splitSegments(envelope)
  bytesOf(header, "header")
  const match = HEADER.exec(Buffer.from(header, "base64url").toString("latin1"))
  const [, alg = "", contextHash = "", issuedAt, id = "", kid = "", typ = ""] = match ?? []
  if (!match || !Object.hasOwn(TYPES, typ)) refuse("its header is not one of version 1 of the protocol")
  const type = typ as EnvelopeType
  if (alg !== TYPES[type].alg) refuse(`"alg" is ${alg}, which "typ" ${type} does not have`)
  const keyBytes = bytesOf(encryptedKey, "encrypted key")
  if (!(alg === RSA ? [256, 384, 512] : [0]).includes(keyBytes)) refuse("its encrypted key fits no key")
  if (bytesOf(iv, "IV") !== 12 || bytesOf(tag, "tag") !== 16) refuse("its IV must be 12 bytes, its tag 16")
  const messageAndSignatureBytes = bytesOf(ciphertext, "ciphertext") - FIXED_BYTES
  if (messageAndSignatureBytes < 0) refuse("its ciphertext is too short")
  return {
    type,
    meaning: TYPES[type].meaning,
    alg,
    kid,
    id,
    issuedAtSeconds: Number(issuedAt),
    contextHash,
    contextIsEmpty: contextHash === EMPTY_CONTEXT_HASH,
    modulusBits: keyBytes === 0 ? undefined : keyBytes * 8,
    envelopeCharacters: envelope.length,
    messageAndSignatureBytes,
  }
}
