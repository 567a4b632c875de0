/**
 * Private keys at rest: under a passphrase, under a wrapping key, in a key service, or, said loudly, in clear.
 *
 * @module
 */

import { backend } from "#backend"
import { decodeBase64url, encodeBase64url } from "#base64url"

import { type Bytes, concat, concatPrefixed } from "../base/bytes.ts"
import { assertFunction, assertOptions } from "../base/options.ts"
import { copyBytes, encodeAscii, label } from "../base/text.ts"
import { IV_BYTES, KEY_BYTES, TAG_BYTES } from "../crypto/sizes.ts"
import { exportDer, exportPem } from "../keys/export.ts"
import { refuseKey } from "../keys/jwk.ts"
import type { PrivateKey } from "../keys/key.ts"
import { exportProtectedPem, importProtectedPrivateKey } from "../keys/protect.ts"
import { generateKeyPair, importPrivateKey } from "../keys/recipient.ts"
import { type Keeper, onceForEachSalt } from "./keeper.ts"
import { derivePassphraseKey } from "./passphrase-key.ts"
import { type KeyService, serviceKeeper } from "./service.ts"

/** How private keys are kept: exactly one of these. */
export type KeyProtection =
  /** Each as PKCS #8 under PBES2, which OpenSSL reads. Costs a fraction of a second for each key, once in each process. */
  | { readonly passphrase: string | Uint8Array }
  /** Each under AES-256-GCM, bound to its name. 32 bytes from a generator, never of a passphrase. */
  | { readonly wrappingKey: Uint8Array }
  /** They never leave a KMS or an HSM, which makes them, too. */
  | { readonly service: KeyService }
  /** As PKCS #8 in PEM. Whoever reads the store, or a backup of it, reads every message. */
  | { readonly dangerouslyInClear: true }

/** Of the form of a private key under a wrapping key, which it is bound to. */
const WRAPPED_VERSION = "1"

/** A keeper of keys that this process makes. What was kept is read back before it is relied on. */
function localKeeper({ by, keep, recall, ...rest }: Omit<Keeper, "make">): Keeper {
  return {
    ...{ by, keep, recall, ...rest },
    async make(modulusBits) {
      const { privateKey } = await generateKeyPair({ modulusBits, extractable: true })
      const text = await keep(privateKey)
      return { key: await recall(text, privateKey.kid, false), text }
    },
  }
}

function passphraseKeeper(given: string | Uint8Array): Keeper {
  const passphrase = copyBytes(given, "options.protection.passphrase")
  if (passphrase.length === 0) throw new RangeError("options.protection.passphrase must not be empty")
  return localKeeper({
    by: "passphrase",
    keep: (key) => exportProtectedPem(key, { passphrase }),
    recall: (pem, _kid, extractable) => importProtectedPrivateKey(pem, { passphrase, extractable }),
    macKey: onceForEachSalt((salt) => derivePassphraseKey(passphrase, salt)),
  })
}

const wrappedAad = (kid: string): Bytes =>
  concatPrefixed(label("ring key"), [encodeAscii(WRAPPED_VERSION), encodeAscii(kid)])

function wrappingKeeper(given: Uint8Array): Keeper {
  const wrappingKey = copyBytes(given, "options.protection.wrappingKey")
  if (wrappingKey.length !== KEY_BYTES) {
    throw new RangeError(
      `options.protection.wrappingKey must be ${KEY_BYTES} bytes, not ${wrappingKey.length}`,
    )
  }
  async function keep(key: PrivateKey): Promise<string> {
    const der = await exportDer(key)
    const iv = backend.randomBytes(IV_BYTES)
    const { ciphertext, tag } = await backend.sealAesGcm(wrappingKey, iv, wrappedAad(key.kid), der)
    der.fill(0)
    return encodeBase64url(concat(iv, ciphertext, tag))
  }
  async function unwrapped(text: string, kid: string): Promise<Bytes> {
    const bytes = decodeBase64url(text)
    if (!bytes || bytes.length < IV_BYTES + TAG_BYTES)
      return refuseKey("a wrapped key of the ring is damaged")
    const ciphertext = bytes.slice(IV_BYTES, -TAG_BYTES)
    const sealed = { ciphertext, tag: bytes.slice(-TAG_BYTES) }
    try {
      return await backend.openAesGcm(wrappingKey, bytes.slice(0, IV_BYTES), wrappedAad(kid), sealed)
    } catch {
      return refuseKey("another wrapping key, or a damaged ring")
    }
  }
  async function recall(text: string, kid: string, extractable: boolean): Promise<PrivateKey> {
    const der = await unwrapped(text, kid)
    const key = await importPrivateKey(der, { extractable })
    der.fill(0)
    return key
  }
  const macKey = async (salt: Bytes): Promise<Bytes> =>
    backend.hmacSha256(wrappingKey, concatPrefixed(label("ring mac key"), [salt]))
  return localKeeper({ by: "wrapping-key", keep, recall, macKey })
}

/** Keeps keys in clear; backups use it inside. */
export const clearKeeper: Keeper = localKeeper({
  by: "clear",
  keep: exportPem,
  recall: (pem, _kid, extractable) => importPrivateKey(pem, { extractable }),
})

function keeperOf(protection: KeyProtection): Keeper {
  if ("passphrase" in protection) return passphraseKeeper(protection.passphrase)
  if ("wrappingKey" in protection) return wrappingKeeper(protection.wrappingKey)
  if ("service" in protection) {
    const { service } = protection
    assertFunction((service as Partial<KeyService> | undefined)?.create, "options.protection.service.create")
    assertFunction((service as Partial<KeyService>).unwrap, "options.protection.service.unwrap")
    return serviceKeeper(service)
  }
  // callers in plain JavaScript
  if ((protection.dangerouslyInClear as unknown) === true) return clearKeeper
  throw new TypeError(
    "options.protection.dangerouslyInClear must be true, or left out for another protection",
  )
}

/**
 * Reads the option `protection`.
 *
 * @throws `TypeError` or `RangeError` naming what is wrong with it.
 */
export function readProtection(protection: KeyProtection): Keeper {
  const names = ["passphrase", "wrappingKey", "service", "dangerouslyInClear"]
  assertOptions(protection, "options.protection", names)
  if (Object.keys(protection).length !== 1) {
    throw new TypeError(`options.protection must have exactly one of ${names.join(", ")}`)
  }
  return keeperOf(protection)
}
