/**
 * Keys in Azure Key Vault or Managed HSM:
 * `openKeyRing({ store, protection: { service: azureKeyService("https://….vault.azure.net", new DefaultAzureCredential()) } })`.
 * The identity needs the key permissions create, get, decrypt and delete; sign for the MAC key.
 *
 * Managed HSM makes MACs: HS256 with a key of the type oct-HSM. Key Vault does not, with its keys RSA and EC. There a signature by RS256
 * does the same: each digest has exactly one (RFC 8017 §8.2), which nobody foresees without the private key. ES256 and PS256 won't
 * do: they sign differently every time.
 */
import { createHash, randomUUID } from "node:crypto"

import {
  CryptographyClient,
  KeyClient,
  type KeyClientOptions,
  parseKeyVaultKeyIdentifier,
} from "@azure/keyvault-keys"
import { SealwireError } from "sealwire"
import type { KeyService } from "sealwire/key-ring"
import { importPublicKey } from "sealwire/keys"

/** As `@azure/identity` has them. */
type Credential = ConstructorParameters<typeof KeyClient>[1]

export interface AzureOptions extends KeyClientOptions {
  /** Keys in an HSM; the vault must be one that has it. Default: false. */
  readonly hsm?: boolean
  /**
   * `https://…/keys/<name>/<version>`: a key with the operation `sign`, which serves this ring and nothing else. Default: none, and the
   * ring has no MAC.
   */
  readonly macKeyId?: string
  /** `"HS256"` for a key of the type oct-HSM in a Managed HSM; `"RS256"` for an RSA key. Default: `"RS256"`. */
  readonly macAlgorithm?: "HS256" | "RS256"
}

/** What the vault says of a ciphertext. */
const BAD_REQUEST = 400

const base64url = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("base64url")

export function azureKeyService(
  vaultUrl: string,
  credential: Credential,
  options: AzureOptions = {},
): KeyService {
  const { hsm = false, macKeyId, macAlgorithm = "RS256", ...clientOptions } = options
  // another one made by rotation would make other MACs
  if (macKeyId !== undefined && parseKeyVaultKeyIdentifier(macKeyId).version === undefined)
    throw new TypeError(`options.macKeyId must name a version of the key, not ${macKeyId}`)
  const vault = new KeyClient(vaultUrl, credential, clientOptions)
  const clients = new Map<string, CryptographyClient>()
  function clientOf(reference: string): CryptographyClient {
    const client = clients.get(reference) ?? new CryptographyClient(reference, credential, clientOptions)
    clients.set(reference, client)
    return client
  }
  // the operation is given a digest, whatever the algorithm
  const macBy =
    (keyId: string) =>
    async (data: Uint8Array): Promise<Uint8Array> =>
      (await clientOf(keyId).sign(macAlgorithm, createHash("sha256").update(data).digest())).result
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

    ...(macKeyId !== undefined && { mac: macBy(macKeyId) }),
  }
}
