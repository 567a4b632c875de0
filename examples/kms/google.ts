/**
 * Keys in Google Cloud KMS: `openKeyRing({ store, protection: { service: googleKeyService(new KeyManagementServiceClient(), …) } })`.
 * The account needs cloudkms.cryptoKeys.create, cryptoKeyVersions.viewPublicKey, useToDecrypt and destroy.
 */
import { randomUUID } from "node:crypto"

import type { KeyManagementServiceClient } from "@google-cloud/kms"
import { SealwireError } from "sealwire"
import type { KeyService } from "sealwire/key-ring"
import { importPublicKey } from "sealwire/keys"

/** What is used of the client. */
export type GoogleKms = Pick<
  KeyManagementServiceClient,
  "createCryptoKey" | "getPublicKey" | "asymmetricDecrypt" | "destroyCryptoKeyVersion"
>

export interface GoogleOptions {
  /** `projects/…/locations/…/keyRings/…`: Google's key ring, which keys are made in. */
  readonly parent: string
  readonly protectionLevel?: "HSM" | "SOFTWARE"
}

/** gRPC's INVALID_ARGUMENT: what the service says of a ciphertext. */
const INVALID_ARGUMENT = 3
/** gRPC's FAILED_PRECONDITION: an HSM is still making the key. */
const NOT_YET = 9
const ATTEMPTS = 30

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code

export function googleKeyService(
  client: GoogleKms,
  { parent, protectionLevel = "HSM" }: GoogleOptions,
): KeyService {
  async function publicPem(name: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await client.getPublicKey({ name }))[0].pem ?? ""
      } catch (error) {
        if (codeOf(error) !== NOT_YET || attempt === ATTEMPTS) throw error
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
    }
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
      try {
        const [{ plaintext }] = await client.asymmetricDecrypt({ name: reference, ciphertext: encryptedKey })
        return typeof plaintext === "string"
          ? Buffer.from(plaintext, "base64")
          : (plaintext ?? new Uint8Array())
      } catch (cause) {
        if (codeOf(cause) === INVALID_ARGUMENT) throw cause
        throw new SealwireError("ERR_KEY_UNAVAILABLE", "Cloud KMS could not be asked", { cause })
      }
    },

    async destroy(reference) {
      await client.destroyCryptoKeyVersion({ name: reference })
    },
  }
}
