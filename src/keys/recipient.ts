/**
 * Recipient keys: RSA, imported or generated. Every refusal of docs/protocol.md §2 happens on this way, whatever form a key has.
 *
 * @module
 */

import { backend as platform } from "#backend"

import { equalConstantTime, isBytes } from "../base/bytes.ts"
import { processTime } from "../base/clock.ts"
import { assertOptions } from "../base/options.ts"
import type {
  Backend,
  Jwk,
  MaybePromise,
  ModulusBits,
  PublicJwk,
  UnwrapHandle,
  WrapHandle,
} from "../crypto/backend.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import {
  checkPrivateRecipient,
  checkPublicRecipient,
  MODULUS_BITS,
  modulusBitsOf,
  orRefuse,
  publicPart,
  refuseKey,
  UNFIT,
} from "./jwk.ts"
import { materialOf, type PrivateKey, type PublicKey, registerKey } from "./key.ts"
import {
  PRIVATE_KEY_OPTIONS,
  type PrivateKeyOptions,
  PUBLIC_KEY_OPTIONS,
  type PublicKeyOptions,
} from "./options.ts"
import { type PrivateKeySource, type PublicKeySource, readSource } from "./source.ts"
import { thumbprintOf, verifiedThumbprint } from "./thumbprint.ts"

/** A private key that lives elsewhere: in a KMS, an HSM, a smart card. */
export interface UnwrapHook {
  /** The public part of that key. */
  readonly publicKey: PublicKey
  /**
   * Decrypts an encrypted content key: RSAES-OAEP with SHA-256, MGF1 with SHA-256, empty label (RFC 8017 §7.1).
   *
   * Called once for each message, concurrently. Whatever it throws counts as a message that does not open; only where the
   * service could not be asked, throw a `SealwireError` with `ERR_KEY_UNAVAILABLE`, and the message may be tried again.
   *
   * @param encryptedKey - As many bytes as the modulus has.
   * @returns The content key, 32 bytes.
   */
  readonly unwrap: (encryptedKey: Uint8Array) => MaybePromise<Uint8Array>
}

/** Options of {@link generateKeyPair}. */
export interface GenerateKeyPairOptions extends PrivateKeyOptions {
  /** Size of the modulus in bits: 2048, 3072 or 4096. Default: 3072. */
  readonly modulusBits?: ModulusBits
}

/** A recipient's two keys. */
export interface KeyPair {
  readonly publicKey: PublicKey
  readonly privateKey: PrivateKey
}

async function registerPublicKey(backend: Backend, jwk: PublicJwk, kid: string): Promise<PublicKey> {
  const handle = await orRefuse(UNFIT, () => backend.importWrapKey(jwk))
  return registerKey({ type: "public", kid, modulusBits: modulusBitsOf(jwk) }, { backend, jwk, handle })
}

/** The public key of a JWK that came from outside; throws `ERR_KEY` as {@link importPublicKey} does. */
export async function publicKeyOf(backend: Backend, jwk: Jwk): Promise<PublicKey> {
  const publicJwk = checkPublicRecipient(jwk)
  return registerPublicKey(backend, publicJwk, await verifiedThumbprint(backend, publicJwk, jwk))
}

function registerPrivateKey(publicKey: PublicKey, handle: UnwrapHandle, madeAtMs?: number): PrivateKey {
  const { backend, jwk } = materialOf(publicKey, "public", "source.publicKey")
  const { kid, modulusBits } = publicKey
  return registerKey({ type: "private", kid, modulusBits, publicKey }, { backend, jwk, handle, madeAtMs })
}

/** Uses both halves on each other, so that a private key with another's public part is refused at once. */
async function assertPair(backend: Backend, wrapping: WrapHandle, unwrapping: UnwrapHandle): Promise<void> {
  const probe = backend.randomBytes(KEY_BYTES)
  // WebKitGTK drops leading zero bytes, which says nothing about the pair
  probe[0] = 1
  try {
    if (equalConstantTime(await unwrapping.unwrap(await wrapping.wrap(probe)), probe)) return
  } catch {
    // a wrong key fails the padding rather than give other bytes
  }
  refuseKey("the private key does not work with its public part")
}

const isHook = (source: PrivateKeySource | UnwrapHook): source is UnwrapHook =>
  typeof source === "object" && (source as unknown) !== null && "unwrap" in source

function joinHook(hook: UnwrapHook): PrivateKey {
  const { publicKey, unwrap } = hook
  if (typeof unwrap !== "function") throw new TypeError("source.unwrap must be a function")
  return registerPrivateKey(publicKey, {
    unwrap: async (encryptedKey) => {
      const contentKey: unknown = await unwrap(new Uint8Array(encryptedKey))
      // a number would be taken for a length, and a key of zeros come of it
      if (!isBytes(contentKey)) throw new TypeError("source.unwrap must give a Uint8Array")
      return new Uint8Array(contentKey)
    },
  })
}

/**
 * Imports a recipient's public key.
 *
 * @param source - SPKI as PEM or DER, a JWK, or an extractable `CryptoKey` of RSA-OAEP.
 * @throws `SealwireError` `ERR_KEY` for every key that the protocol refuses (§2), saying which rule it breaks;
 *   `ERR_UNSUPPORTED` where the backend cannot read that form.
 */
export async function importPublicKey(
  source: PublicKeySource,
  options: PublicKeyOptions = {},
): Promise<PublicKey> {
  assertOptions(options, "options", PUBLIC_KEY_OPTIONS)
  const { backend = platform } = options
  return publicKeyOf(backend, (await readSource(backend, "spki", source)).jwk)
}

/**
 * Imports a recipient's private key, or joins one that lives in a key service.
 *
 * @param source - PKCS #8 as PEM or DER, a JWK, a `CryptoKey` of RSA-OAEP (one that is not extractable as the pair
 *   `{ publicKey, privateKey }`), or an {@link UnwrapHook}. On Node, all but that pair use several processor cores.
 * @throws `SealwireError` `ERR_KEY` for every key that the protocol refuses (§2), saying which rule it breaks;
 *   `ERR_UNSUPPORTED` where the backend cannot read that form, or has no private RSA operation.
 */
export async function importPrivateKey(
  source: PrivateKeySource | UnwrapHook,
  options: PrivateKeyOptions = {},
): Promise<PrivateKey> {
  assertOptions(options, "options", PRIVATE_KEY_OPTIONS)
  if (isHook(source)) return joinHook(source)
  const { backend = platform, extractable = false } = options
  const { jwk, native } = await readSource(backend, "pkcs8", source)
  const secret = native ?? checkPrivateRecipient(jwk)
  const publicJwk = native ? checkPublicRecipient(jwk) : publicPart(jwk)
  const kid = await verifiedThumbprint(backend, publicJwk, jwk)
  const publicKey = await registerPublicKey(backend, publicJwk, kid)
  const handle = await orRefuse(UNFIT, () => backend.importUnwrapKey(secret, extractable))
  await assertPair(backend, materialOf(publicKey, "public", "source").handle, handle)
  return registerPrivateKey(publicKey, handle)
}

/**
 * Generates a recipient's key pair, off the main thread. Takes from a tenth of a second to several seconds: never do it
 * while a request waits.
 *
 * @throws `SealwireError` `ERR_UNSUPPORTED` where the backend has no private RSA operation.
 */
export async function generateKeyPair(options: GenerateKeyPairOptions = {}): Promise<KeyPair> {
  assertOptions(options, "options", [...PRIVATE_KEY_OPTIONS, "modulusBits"])
  const { backend = platform, extractable = false, modulusBits = 3072 } = options
  if (!MODULUS_BITS.includes(modulusBits)) {
    throw new RangeError(`modulusBits must be 2048, 3072 or 4096, not ${String(modulusBits)}`)
  }
  const { publicJwk, handle } = await backend.generateRsa(modulusBits, extractable)
  const jwk = publicPart(publicJwk)
  const publicKey = await registerPublicKey(backend, jwk, await thumbprintOf(backend, jwk))
  return { publicKey, privateKey: registerPrivateKey(publicKey, handle, processTime()) }
}
