/**
 * AWS KMS in this process: JSON over HTTP, under its real client. It refuses what the service refuses: unknown keys, another usage
 * than the key was made for, another algorithm, and messages that are too long.
 *
 * @module
 */

import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

import { decryptOaep, hmacSha256, type Vault, type VaultKey } from "./kms-vault.ts"

type Input = Readonly<Record<string, string>>
type Answer = readonly [status: number, body: object]

const MAX_MESSAGE_BYTES = 4096
const SPECS: Readonly<Record<string, RegExp>> = {
  ENCRYPT_DECRYPT: /^RSA_(2048|3072|4096)$/,
  GENERATE_VERIFY_MAC: /^HMAC_256$/,
}

const refusal = (name: string): Answer => [400, { __type: name }]

function createKey(vault: Vault, { KeyUsage = "", KeySpec = "" }: Input): Answer {
  if (!SPECS[KeyUsage]?.test(KeySpec)) return refusal("ValidationException")
  const Arn = `arn:aws:kms:eu-central-1:111122223333:key/${randomUUID()}`
  if (KeyUsage === "ENCRYPT_DECRYPT") vault.makePair(Arn, Number(KeySpec.slice(4)), KeyUsage)
  else vault.makeSecret(Arn, KeyUsage)
  return [200, { KeyMetadata: { Arn, KeyId: Arn.split("/")[1], KeyUsage, KeySpec } }]
}

function decrypt(key: VaultKey, { KeyId, CiphertextBlob = "", EncryptionAlgorithm }: Input): Answer {
  const isMeant = key.use === "ENCRYPT_DECRYPT" && EncryptionAlgorithm === "RSAES_OAEP_SHA_256"
  if (!isMeant) return refusal("InvalidKeyUsageException")
  const opened = decryptOaep(key, Buffer.from(CiphertextBlob, "base64"))
  if (!opened) return refusal("InvalidCiphertextException")
  return [200, { KeyId, EncryptionAlgorithm, Plaintext: opened.toString("base64") }]
}

function generateMac(key: VaultKey, { KeyId, Message = "", MacAlgorithm }: Input): Answer {
  const message = Buffer.from(Message, "base64")
  if (message.length === 0 || message.length > MAX_MESSAGE_BYTES) return refusal("ValidationException")
  const isMeant = key.use === "GENERATE_VERIFY_MAC" && MacAlgorithm === "HMAC_SHA_256"
  if (!isMeant) return refusal("InvalidKeyUsageException")
  return [200, { KeyId, MacAlgorithm, Mac: hmacSha256(key, message).toString("base64") }]
}

function answer(vault: Vault, operation: string, input: Input): Answer {
  if (vault.isAway) return [503, { __type: "DependencyTimeoutException" }]
  if (operation === "CreateKey") return createKey(vault, input)
  const { KeyId = "" } = input
  const key = vault.keys.get(KeyId)
  if (!key) return refusal("NotFoundException")
  switch (operation) {
    case "GetPublicKey": {
      const spki = vault.publicOf(KeyId).export({ type: "spki", format: "der" })
      return [200, { KeyId, PublicKey: spki.toString("base64") }]
    }
    case "Decrypt":
      return decrypt(key, input)
    case "GenerateMac":
      return generateMac(key, input)
    case "ScheduleKeyDeletion":
      vault.keys.delete(KeyId)
      return [200, { KeyId }]
    default:
      return refusal("UnknownOperationException")
  }
}

/** Serves it on a free port. */
export async function startAwsKms(vault: Vault): Promise<{ endpoint: string; close(): void }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const operation = String(request.headers["x-amz-target"]).replace("TrentService.", "")
      const [status, body] = answer(vault, operation, JSON.parse(Buffer.concat(chunks).toString()) as Input)
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
