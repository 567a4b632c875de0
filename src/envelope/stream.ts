/**
 * The envelope at the head of a file or stream: `sw1-stream`, its message JSON metadata. docs/protocol.md §10.
 * Reading a file twice is no replay, so freshness and the claim apply only where the reader gives a guard.
 *
 * @module
 */

import { type Bytes, NOTHING } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { parseJson } from "../base/json.ts"
import { MAX_METADATA_BYTES } from "../base/limits.ts"
import { decodeUtf8, describe, encodeAscii } from "../base/text.ts"
import type { Backend } from "../crypto/backend.ts"
import { expand } from "../crypto/derive.ts"
import { materialOf, type PrivateKey, type VerifyingKey } from "../keys/key.ts"
import type { ReadableKeyRing } from "../keys/ring.ts"
import { dangerouslyAcceptReplays, type ReplayGuard } from "../replay/guard.ts"
import { readContext } from "./context.ts"
import { exportSecret } from "./exporter.ts"
import { envelopeCharacters, maxEnvelopeCharacters } from "./layout.ts"
import type { Authentic } from "./read.ts"
import { assertGuard, keySelector } from "./reader.ts"
import { receive } from "./receive.ts"
import type { SealOptions } from "./seal.ts"
import { sealerFor } from "./sealer.ts"
import { signatureBytes } from "./signature.ts"
import { type KnownSigners, signerPolicy } from "./signers.ts"
import type { Fresh } from "./write.ts"

/** What is said of a stream beside its bytes: a JSON object. Sealed, and authentic when it is handed out. */
export type StreamMetadata = Readonly<Record<string, unknown>>

/** Who reads a stream, and what it demands. */
export interface HeadOptions {
  /** The recipient's key, or a ring of them. */
  readonly with: PrivateKey | ReadableKeyRing
  /** What the sender bound the stream to. Default: empty. */
  readonly context?: string | Uint8Array
  /** Requires a signature by one of these. Default: none required. */
  readonly signedBy?: VerifyingKey | readonly VerifyingKey[]
  /** Keys for optional signatures, or a look-up by thumbprint. A signature that nothing here can check is refused. Default: none. */
  readonly knownSigners?: KnownSigners
  /** Makes the stream count once, and only while it is fresh. Default: it may be read again, at any age. */
  readonly replay?: ReplayGuard
}

/** The names of {@link HeadOptions}. */
export const HEAD_OPTIONS: readonly string[] = ["with", "context", "signedBy", "knownSigners", "replay"]

/** What the head of a stream says. */
export interface StreamHead {
  /** What the sender says of the stream; `{}` unless it said something. */
  readonly metadata: StreamMetadata
  /** The header's `jti`, 22 characters: unique to this stream. */
  readonly id: string
  /** The sender's time, to the second. */
  readonly issuedAt: Date
  /** The thumbprint of the recipient's key. */
  readonly kid: string
  /** Thumbprint of the sender's signing key; undefined means that nobody is proven to have sent this. */
  readonly signer: string | undefined
}

/** One end of a stream: what its body is sealed under. */
export interface StreamEnd {
  readonly backend: Backend
  readonly envelope: string
  /** `expand(X, "stream")` */
  readonly key: Bytes
}

/** The longest head, from its first character to its last. */
export const MAX_HEAD_CHARACTERS: number = maxEnvelopeCharacters(MAX_METADATA_BYTES)

async function streamKey(backend: Backend, envelope: string, seed: Bytes): Promise<Bytes> {
  const secret = await exportSecret(backend, encodeAscii(envelope), seed)
  return expand(backend, secret, "stream", NOTHING)
}

/**
 * Metadata as bytes.
 *
 * @throws `TypeError` unless it is an object that JSON can carry; `SealwireError` `ERR_TOO_LARGE`.
 */
export function serializeMetadata(metadata: StreamMetadata = {}): Bytes {
  if (typeof metadata !== "object" || (metadata as unknown) === null || Array.isArray(metadata)) {
    throw new TypeError(`options.metadata must be an object, not ${describe(metadata)}`)
  }
  const bytes = encodeAscii(JSON.stringify(metadata))
  if (bytes.length > MAX_METADATA_BYTES) {
    throw new SealwireError(
      "ERR_TOO_LARGE",
      `the metadata is ${bytes.length} bytes, above the limit of ${MAX_METADATA_BYTES}`,
    )
  }
  parseMetadata(bytes) // what no reader would take is not sealed
  return bytes
}

function parseMetadata(message: Bytes): StreamMetadata {
  const value = parseJson(decodeUtf8(message) ?? "")
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as StreamMetadata
  throw new SealwireError("ERR_MESSAGE_FORMAT", "the metadata of the stream is not a JSON object")
}

/**
 * Characters of the head that {@link headSealer} makes.
 *
 * @throws `TypeError` naming the option.
 */
export function headCharacters(
  metadata: Bytes,
  { to, signWith }: Pick<SealOptions, "to" | "signWith">,
): number {
  materialOf(to, "public", "options.to")
  if (signWith !== undefined) materialOf(signWith, "signing", "options.signWith")
  const signature = signWith ? signatureBytes(signWith.algorithm) : 0
  return envelopeCharacters("sw1-stream", to.modulusBits / 8, signature + metadata.length)
}

/** Reads for whom to seal now, and gives the function that seals a head; `given` as for `writeEnvelope`. */
export function headSealer({
  to,
  context = "",
  signWith,
}: Pick<SealOptions, "to" | "context" | "signWith">): (
  metadata: Bytes,
  given?: Partial<Fresh>,
) => Promise<StreamEnd> {
  const seal = sealerFor("sw1-stream", { to, context: readContext(context), signWith })
  return async (metadata, given) => {
    const { backend, envelope, seed } = await seal(metadata, given)
    return { backend, envelope, key: await streamKey(backend, envelope, seed) }
  }
}

function headOf({ header, message, signer }: Authentic): StreamHead {
  return {
    metadata: parseMetadata(message),
    id: header.id,
    issuedAt: new Date(header.issuedAtSeconds * 1000),
    kid: header.kid,
    signer,
  }
}

/**
 * Reads the options of a head now, and gives the function that opens one.
 *
 * @throws `TypeError`
 */
export function headOpener(
  options: HeadOptions,
): (envelope: string) => Promise<{ head: StreamHead; end: StreamEnd }> {
  const { with: reader, context = "", replay, signedBy, knownSigners } = options
  if (replay !== undefined) assertGuard(replay)
  const reading = {
    type: "sw1-stream",
    maxMessageBytes: MAX_METADATA_BYTES,
    select: keySelector(reader),
    contextHash: readContext(context).hash,
    replay: replay ?? dangerouslyAcceptReplays,
    ...signerPolicy(signedBy, knownSigners),
  } as const
  return async (envelope) => {
    const received = await receive(envelope, reading)
    if (replay !== undefined) await received.admit()
    const { authentic } = received
    const { backend } = authentic.selected
    const key = await streamKey(backend, envelope, authentic.seed)
    return { head: headOf(authentic), end: { backend, envelope, key } }
  }
}
