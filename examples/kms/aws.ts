/**
 * Keys in AWS KMS: `openKeyRing({ store, protection: { service: awsKeyService(new KMSClient(), { macKeyId }) } })`.
 * The role needs kms:CreateKey, GetPublicKey, Decrypt and, to be rid of old keys, ScheduleKeyDeletion; kms:GenerateMac for the MAC key.
 */
import {
  CreateKeyCommand,
  DecryptCommand,
  GenerateMacCommand,
  GetPublicKeyCommand,
  type KMSClient,
  KMSServiceException,
  ScheduleKeyDeletionCommand,
} from "@aws-sdk/client-kms"
import { SealwireError } from "sealwire"
import type { KeyService } from "sealwire/key-ring"
import { importPublicKey } from "sealwire/keys"

export interface AwsOptions {
  /**
   * The ARN of a key with the usage `GENERATE_VERIFY_MAC` and the spec `HMAC_256`, which serves this ring and nothing else. No alias: it
   * may come to mean another key. Default: none, and the ring has no MAC.
   */
  readonly macKeyId?: string
}

/** What KMS says of a ciphertext; everything else says that it was not asked. */
const NOT_OPENED = ["InvalidCiphertextException", "ValidationException"]
const DAYS_UNTIL_GONE = 7

export function awsKeyService(client: KMSClient, { macKeyId }: AwsOptions = {}): KeyService {
  // KMS takes up to 4,096 bytes, of which a ring gives some fifty
  const macBy =
    (KeyId: string) =>
    async (Message: Uint8Array): Promise<Uint8Array> => {
      const { Mac } = await client.send(
        new GenerateMacCommand({ KeyId, MacAlgorithm: "HMAC_SHA_256", Message }),
      )
      if (!Mac) throw new Error("KMS gave no MAC")
      return Mac
    }
  return {
    async create(modulusBits) {
      const made = await client.send(
        new CreateKeyCommand({
          KeyUsage: "ENCRYPT_DECRYPT",
          KeySpec: `RSA_${modulusBits}`,
          Description: "sealwire",
        }),
      )
      const reference = made.KeyMetadata?.Arn
      if (reference === undefined) throw new Error("KMS gave no key")
      const { PublicKey: spki } = await client.send(new GetPublicKeyCommand({ KeyId: reference }))
      if (!spki) throw new Error("KMS gave no public key")
      return { reference, publicKey: await importPublicKey(spki) }
    },

    async unwrap(reference, encryptedKey) {
      const command = new DecryptCommand({
        KeyId: reference,
        EncryptionAlgorithm: "RSAES_OAEP_SHA_256",
        CiphertextBlob: encryptedKey,
      })
      const { Plaintext } = await client.send(command).catch((cause: unknown) => {
        if (cause instanceof KMSServiceException && NOT_OPENED.includes(cause.name)) throw cause
        throw new SealwireError("ERR_KEY_UNAVAILABLE", "KMS could not be asked", { cause })
      })
      return Plaintext ?? new Uint8Array()
    },

    async destroy(reference) {
      const PendingWindowInDays = DAYS_UNTIL_GONE
      await client.send(new ScheduleKeyDeletionCommand({ KeyId: reference, PendingWindowInDays }))
    },

    ...(macKeyId !== undefined && { mac: macBy(macKeyId) }),
  }
}
