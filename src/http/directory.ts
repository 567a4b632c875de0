/**
 * The key directory: which keys a server opens with, said by its identity key. docs/protocol.md §7.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { Backend, Jwk } from "../crypto/backend.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"
import { publicKeyOf } from "../keys/recipient.ts"
import { readStatement, signStatement } from "../keys/statement.ts"

/** What a directory says. */
export interface Directory {
  /** The origin that it is for. */
  readonly origin: string
  /** Unix seconds. */
  readonly issuedAtSeconds: number
  /** Unix seconds, at most a day after {@link Directory.issuedAtSeconds}. */
  readonly expiresAtSeconds: number
  /** The keys to seal to: clients take the first. */
  readonly keys: readonly PublicKey[]
  /** Thumbprints of coming identity keys. They change no pin by themselves. */
  readonly next: readonly string[]
  /** Rises with every change; a client refuses one below what it has seen. */
  readonly seq: number
}

/** Longest life of a directory, in seconds. */
export const MAX_DIRECTORY_SECONDS = 86_400
/** A directory of a hundred keys of 4096 bits takes 100 kB. */
export const MAX_DIRECTORY_BYTES: number = 128 * 1024

const THUMBPRINT = /^[\w-]{43}$/

/** Signs a directory: a compact JWS. */
export function signDirectory(identity: SigningKey, directory: Directory): Promise<string> {
  const { origin: aud, issuedAtSeconds: iat, expiresAtSeconds: exp, keys, next, seq } = directory
  const jwks = keys.map((key) => ({ ...materialOf(key, "public", "keys").jwk, kid: key.kid }))
  return signStatement(identity, "sw1-keys", { aud, exp, iat, keys: jwks, next: [...next], seq })
}

/** What a client demands of a directory. */
export interface DirectoryTerms {
  /** Thumbprints of the identity keys that it trusts. */
  readonly pins: readonly string[]
  readonly origin: string
  readonly nowSeconds: number
  /** The highest `seq` that it has seen. */
  readonly lowestSeq: number
}

function distrust(reason: string): never {
  throw new SealwireError("ERR_KEYS_UNTRUSTED", `the server's key directory ${reason}`)
}

const isSeconds = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0

interface Payload {
  readonly aud: unknown
  readonly exp: number
  readonly iat: number
  readonly keys: readonly Jwk[]
  readonly next: readonly string[]
  readonly seq: number
}

function readPayload(payload: Readonly<Record<string, unknown>>): Payload {
  const { aud, exp, iat, keys, next, seq, ...more } = payload
  const isDirectory =
    Object.keys(more).length === 0 &&
    isSeconds(exp) &&
    isSeconds(iat) &&
    Number.isSafeInteger(seq) &&
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.every((key) => typeof key === "object" && key !== null) &&
    Array.isArray(next) &&
    next.every((kid) => typeof kid === "string" && THUMBPRINT.test(kid))
  if (!isDirectory) distrust("is malformed")
  return { aud, exp, iat, keys: keys as Jwk[], next: next as string[], seq: seq as number }
}

/**
 * Reads a directory.
 *
 * @throws `SealwireError` `ERR_KEYS_UNTRUSTED`, saying which demand it does not meet; `ERR_KEY` for a key that §2 refuses.
 */
export async function readDirectory(
  backend: Backend,
  text: string,
  { pins, origin, nowSeconds, lowestSeq }: DirectoryTerms,
): Promise<Directory> {
  const statement = await readStatement(backend, text, "sw1-keys", pins)
  if (!statement) distrust("is not signed by a pinned identity")
  const { aud, exp, iat, keys, next, seq } = readPayload(statement.payload)
  if (aud !== origin) distrust(`is not for ${origin}`)
  if (exp <= iat || exp - iat > MAX_DIRECTORY_SECONDS) distrust("has a life that is not within a day")
  if (exp <= nowSeconds) distrust("has run out, or this clock is ahead")
  // no tighter: a client whose clock is behind must get as far as an authentic answer with the server's time
  if (iat - nowSeconds > MAX_DIRECTORY_SECONDS) distrust("is from the future")
  if (seq < lowestSeq) distrust("is older than one that was seen before")
  const imported = await Promise.all(keys.map((key) => publicKeyOf(backend, key)))
  return { origin, issuedAtSeconds: iat, expiresAtSeconds: exp, keys: imported, next, seq }
}
