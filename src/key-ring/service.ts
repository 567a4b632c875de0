/**
 * Keys that live in a KMS or an HSM: the ring stores how the service calls them, and their public parts.
 *
 * @module
 */

import { backend } from "#backend"

import { type Bytes, concatPrefixed, equalConstantTime, isBytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { label } from "../base/text.ts"
import type { Jwk, MaybePromise, ModulusBits } from "../crypto/backend.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { exportJwk } from "../keys/export-jwk.ts"
import { refuseKey } from "../keys/jwk.ts"
import { materialOf, type PrivateKey, type PublicKey } from "../keys/key.ts"
import { importPrivateKey, importPublicKey } from "../keys/recipient.ts"
import { type Keeper, onceForEachSalt } from "./keeper.ts"

/** A key service, as a ring uses it. */
export interface KeyService {
  /**
   * Makes an RSA key that decrypts by RSAES-OAEP with SHA-256 and MGF1-SHA-256.
   *
   * Called once for each rotation; by more than one server where two begin one at the same time, and then all but one key are
   * given to `destroy` again.
   *
   * @returns The public key, and by what name to call the private one: text of any form.
   */
  create(modulusBits: ModulusBits): Promise<{ readonly reference: string; readonly publicKey: PublicKey }>
  /** As `UnwrapHook.unwrap`, with the key of that name. Called once more when a ring is loaded, to see that it is the right one. */
  unwrap(reference: string, encryptedKey: Uint8Array): MaybePromise<Uint8Array>
  /**
   * A MAC of `data` under a key of the service that nobody can use who merely writes the store, such as HMAC-SHA-256: the same for the same
   * data, at least 32 bytes. Called once in each process, with fewer than 100 bytes. Default: none, and what the store says of the keys is
   * not authenticated.
   */
  mac?(data: Uint8Array): MaybePromise<Uint8Array>
  /** Called after a key has left the ring: destroys it, or plans to. Default: nothing, and the service keeps it. */
  destroy?(reference: string): Promise<void>
}

/** What is stored of such a key. */
interface Reference {
  readonly reference: string
  readonly jwk: Jwk
}

function parseReference(text: string): Reference {
  const { reference, jwk } = JSON.parse(text) as Partial<Reference>
  if (typeof reference === "string" && typeof jwk === "object") return { reference, jwk }
  return refuseKey("a key's reference in the ring is damaged")
}

/** Tries the service's key with the stored public key: whoever can write the store must not have a key of theirs published. */
async function assertPair(
  publicKey: PublicKey,
  unwrap: (wrapped: Uint8Array) => MaybePromise<Uint8Array>,
): Promise<void> {
  const { backend, handle } = materialOf(publicKey, "public", "publicKey")
  const probe = backend.randomBytes(KEY_BYTES)
  const wrapped = await handle.wrap(probe)
  let unwrapped: unknown
  try {
    unwrapped = await unwrap(wrapped)
  } catch (cause) {
    throw new SealwireError("ERR_KEY_UNAVAILABLE", "the key service does not open with a key of the ring", {
      cause,
    })
  }
  if (isBytes(unwrapped) && equalConstantTime(new Uint8Array(unwrapped), probe)) return
  refuseKey("the key service's key does not work with its public part")
}

/** The MAC of a salt is a key that this process may have: it opens no message. */
async function deriveMacKey(mac: Required<KeyService>["mac"], salt: Bytes): Promise<Bytes> {
  let answer: unknown
  try {
    answer = await mac(concatPrefixed(label("ring mac key"), [salt]))
  } catch (cause) {
    throw new SealwireError("ERR_KEY_UNAVAILABLE", "the key service makes no MAC", { cause })
  }
  if (!isBytes(answer) || answer.length < KEY_BYTES)
    throw new TypeError(`options.protection.service.mac must give at least ${KEY_BYTES} bytes`)
  return backend.sha256(new Uint8Array(answer))
}

/** Keeps keys in a service. */
export function serviceKeeper(service: KeyService): Keeper {
  async function joined(reference: string, publicKey: PublicKey): Promise<PrivateKey> {
    const unwrap = (encryptedKey: Uint8Array): MaybePromise<Uint8Array> =>
      service.unwrap(reference, encryptedKey)
    await assertPair(publicKey, unwrap)
    return importPrivateKey({ publicKey, unwrap })
  }
  const mac = service.mac?.bind(service)
  return {
    by: "service",
    ...(mac && { macKey: onceForEachSalt((salt) => deriveMacKey(mac, salt)) }),
    async make(modulusBits) {
      const { reference, publicKey } = await service.create(modulusBits)
      const text = JSON.stringify({ reference, jwk: await exportJwk(publicKey) })
      return { key: await joined(reference, publicKey), text }
    },
    keep: async () => {
      throw new TypeError("a ring in a key service takes no key from outside: import it in the service")
    },
    async recall(text) {
      const { reference, jwk } = parseReference(text)
      return joined(reference, await importPublicKey(jwk))
    },
    async forget(text) {
      await service.destroy?.(parseReference(text).reference)
    },
  }
}
