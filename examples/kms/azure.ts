/**
 * Keys in Azure Key Vault or Managed HSM:
 * `openKeyRing({ store, protection: { service: azureKeyService("https://….vault.azure.net", new DefaultAzureCredential()) } })`.
 * The identity needs the key permissions create, get, decrypt and delete.
 */
import { randomUUID } from "node:crypto"

import { CryptographyClient, KeyClient, type KeyClientOptions } from "@azure/keyvault-keys"
import { SealwireError } from "sealwire"
import type { KeyService } from "sealwire/key-ring"
import { importPublicKey } from "sealwire/keys"

/** As `@azure/identity` has them. */
type Credential = ConstructorParameters<typeof KeyClient>[1]

export interface AzureOptions extends KeyClientOptions {
  /** Keys in an HSM; the vault must be one that has it. Default: false. */
  readonly hsm?: boolean
}

/** What the vault says of a ciphertext. */
const BAD_REQUEST = 400

const base64url = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("base64url")

export function azureKeyService(
  vaultUrl: string,
  credential: Credential,
  options: AzureOptions = {},
): KeyService {
  const { hsm = false, ...clientOptions } = options
  const vault = new KeyClient(vaultUrl, credential, clientOptions)
  const clients = new Map<string, CryptographyClient>()
  function clientOf(reference: string): CryptographyClient {
    const client = clients.get(reference) ?? new CryptographyClient(reference, credential, clientOptions)
    clients.set(reference, client)
    return client
  }
  return {
    async create(keySize) {
      const { id = "", key } = await vault.createRsaKey(`sealwire-${randomUUID()}`, {
        keySize,
        hsm,
        keyOps: ["encrypt", "decrypt"],
      })
      const publicKey = await importPublicKey({ kty: "RSA", n: base64url(key?.n), e: base64url(key?.e) })
      return { reference: id, publicKey }
    },

    async unwrap(reference, encryptedKey) {
      const asked = clientOf(reference).decrypt({ algorithm: "RSA-OAEP-256", ciphertext: encryptedKey })
      const { result } = await asked.catch((cause: unknown) => {
        if ((cause as { statusCode?: number } | undefined)?.statusCode === BAD_REQUEST) throw cause
        throw new SealwireError("ERR_KEY_UNAVAILABLE", "Key Vault could not be asked", { cause })
      })
      return result
    },

    async destroy(reference) {
      clients.delete(reference)
      // https://….vault.azure.net/keys/<name>/<version>
      await vault.beginDeleteKey(new URL(reference).pathname.split("/")[2] ?? "")
    },
  }
}
