/**
 * Keys in Google Cloud KMS: `openKeyRing({ store, protection: { service: googleKeyService(new KeyManagementServiceClient(), …) } })`.
 * The account needs cloudkms.cryptoKeys.create, cryptoKeyVersions.viewPublicKey, useToDecrypt and destroy; useToSign for the MAC key.
 */
import { randomUUID } from "node:crypto"

import type { KeyManagementServiceClient } from "@google-cloud/kms"
import { SealwireError } from "sealwire"
import type { KeyService } from "sealwire/key-ring"
import { importPublicKey } from "sealwire/keys"

import { crc32c } from "./crc32c.ts"

/** What is used of the client. */
export type GoogleKms = Pick<
  KeyManagementServiceClient,
  "createCryptoKey" | "getPublicKey" | "asymmetricDecrypt" | "destroyCryptoKeyVersion" | "macSign"
>

export interface GoogleOptions {
  /** `projects/…/locations/…/keyRings/…`: Google's key ring, which keys are made in. */
  readonly parent: string
  readonly protectionLevel?: "HSM" | "SOFTWARE"
  /**
   * `projects/…/cryptoKeys/…/cryptoKeyVersions/…`: a version of a key with the purpose `MAC` and the algorithm `HMAC_SHA256`, which
   * serves this ring and nothing else. Default: none, and the ring has no MAC.
   */
  readonly macKeyVersion?: string
}

/** gRPC's INVALID_ARGUMENT: what the service says of a ciphertext. */
const INVALID_ARGUMENT = 3
/** gRPC's FAILED_PRECONDITION: an HSM is still making the key. */
const NOT_YET = 9
const ATTEMPTS = 30

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code

/** As the client gives bytes, and a number of 64 bits. */
type Given = Uint8Array | string | null | undefined
type Sum = { value?: number | string | object | null } | null | undefined

const bytesOf = (given: Given): Buffer =>
  typeof given === "string" ? Buffer.from(given, "base64") : Buffer.from(given ?? [])

const sumOf = (bytes: Uint8Array): { value: number } => ({ value: crc32c(bytes) })

/** Google asks its callers to discard what is not as it was sent, since networks and machines do damage bytes. */
function assertWhole(bytes: Uint8Array, sum: Sum, ...others: boolean[]): void {
  // the value may be a string or a Long
  if (String(sum?.value) === String(crc32c(bytes)) && others.every(Boolean)) return
  throw new SealwireError("ERR_KEY_UNAVAILABLE", "an answer of Cloud KMS was damaged, or the question to it")
}

export function googleKeyService(
  client: GoogleKms,
  { parent, protectionLevel = "HSM", macKeyVersion }: GoogleOptions,
): KeyService {
  async function publicPem(name: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        const [{ pem, pemCrc32c, name: named }] = await client.getPublicKey({ name })
        assertWhole(Buffer.from(pem ?? ""), pemCrc32c, named === name)
        return pem ?? ""
      } catch (error) {
        if (codeOf(error) !== NOT_YET || attempt === ATTEMPTS) throw error
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
    }
  }
  // KMS takes up to 16 KiB, of which a ring gives some fifty bytes
  const macBy =
    (name: string) =>
    async (data: Uint8Array): Promise<Uint8Array> => {
      const [made] = await client.macSign({ name, data, dataCrc32c: sumOf(data) })
      const tag = bytesOf(made.mac)
      assertWhole(tag, made.macCrc32c, made.verifiedDataCrc32c === true, made.name === name)
      return tag
    }
  return {
    async create(modulusBits) {
      const [made] = await client.createCryptoKey({
        parent,
        cryptoKeyId: `sealwire-${randomUUID()}`,
        cryptoKey: {
          purpose: "ASYMMETRIC_DECRYPT",
          versionTemplate: { algorithm: `RSA_DECRYPT_OAEP_${modulusBits}_SHA256`, protectionLevel },
        },
      })
      const reference = `${made.name ?? ""}/cryptoKeyVersions/1`
      return { reference, publicKey: await importPublicKey(await publicPem(reference)) }
    },

    async unwrap(reference, encryptedKey) {
      const request = {
        name: reference,
        ciphertext: encryptedKey,
        ciphertextCrc32c: sumOf(encryptedKey),
      }
      const [answer] = await client.asymmetricDecrypt(request).catch((cause: unknown) => {
        if (codeOf(cause) === INVALID_ARGUMENT) throw cause
        throw new SealwireError("ERR_KEY_UNAVAILABLE", "Cloud KMS could not be asked", { cause })
      })
      const plaintext = bytesOf(answer.plaintext)
      assertWhole(plaintext, answer.plaintextCrc32c, answer.verifiedCiphertextCrc32c === true)
      return plaintext
    },

    async destroy(reference) {
      await client.destroyCryptoKeyVersion({ name: reference })
    },

    ...(macKeyVersion !== undefined && { mac: macBy(macKeyVersion) }),
  }
}
