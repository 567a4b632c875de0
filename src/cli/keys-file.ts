/**
 * Keys in files: PEM or JWK, told apart by their content.
 *
 * @module
 */

import {
  importPrivateKey,
  importProtectedPrivateKey,
  importProtectedSigningKey,
  importPublicKey,
  importSigningKey,
  importVerifyingKey,
  type Jwk,
  type PrivateKey,
  type PublicKey,
  type SigningKey,
  type VerifyingKey,
} from "../keys.ts"
import { SealwireError } from "../index.ts"
import { CommandError } from "./failure.ts"
import { readInput } from "./input.ts"
import { passphraseFor, type PassphraseOptions } from "./passphrase.ts"

const MAX_KEY_FILE_BYTES = 65_536

/** A JWK, or PEM as it is. The platform's own error is not told: it quotes the text. */
function parseKeyFile(text: string): string | Jwk {
  if (!text.trimStart().startsWith("{")) return text
  try {
    return JSON.parse(text) as Jwk
  } catch {
    throw new SealwireError("ERR_KEY", "refused key: neither PEM nor a JWK")
  }
}

/** Reads a key file; what the library refuses is refused by the file's name. */
async function readKey<Key>(path: string, importKey: (source: string | Jwk) => Promise<Key>): Promise<Key> {
  const text = (await readInput(path, MAX_KEY_FILE_BYTES)).toString()
  try {
    return await importKey(parseKeyFile(text))
  } catch (error) {
    if (error instanceof SealwireError) throw new CommandError(error.code, `${path}: ${error.message}`)
    throw error
  }
}

const isProtected = (source: string | Jwk): source is string =>
  typeof source === "string" && source.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----")

/** Reads a recipient's public key. */
export function readPublicKey(path: string): Promise<PublicKey> {
  return readKey(path, importPublicKey)
}

/** Reads a sender's public key. */
export function readVerifyingKey(path: string): Promise<VerifyingKey> {
  return readKey(path, importVerifyingKey)
}

function readRecipientKey(
  path: string,
  options: PassphraseOptions,
  extractable: boolean,
): Promise<PrivateKey> {
  return readKey(path, async (source) =>
    isProtected(source)
      ? importProtectedPrivateKey(source, { passphrase: await passphraseFor(path, options), extractable })
      : importPrivateKey(source, { extractable }),
  )
}

/** Reads a recipient's private key, with its passphrase where it has one. */
export function readPrivateKey(path: string, options: PassphraseOptions): Promise<PrivateKey> {
  return readRecipientKey(path, options, false)
}

/** The same, to be kept elsewhere. */
export function readExtractableKey(path: string, options: PassphraseOptions): Promise<PrivateKey> {
  return readRecipientKey(path, options, true)
}

/** Reads a signing key, with its passphrase where it has one. */
export function readSigningKey(path: string, options: PassphraseOptions): Promise<SigningKey> {
  return readKey(path, async (source) =>
    isProtected(source)
      ? importProtectedSigningKey(source, { passphrase: await passphraseFor(path, options) })
      : importSigningKey(source),
  )
}
