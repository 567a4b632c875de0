/**
 * Key services in this process, which speak the calls of the real ones: AWS and Azure by HTTP under their real clients, Google as the
 * methods of its client.
 *
 * @module
 */

import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  randomUUID,
} from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** Private keys by the name that the service gives them. */
export class Vault {
  readonly keys: Map<string, KeyObject> = new Map<string, KeyObject>()
  isAway = false

  make(name: string, modulusLength: number): KeyObject {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength })
    this.keys.set(name, privateKey)
    return createPublicKey(privateKey)
  }

  open(name: string, ciphertext: Uint8Array): Buffer | undefined {
    const key = this.keys.get(name)
    if (!key) return undefined
    try {
      return privateDecrypt(
        { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
        ciphertext,
      )
    } catch {
      return undefined
    }
  }

  publicOf(name: string): KeyObject {
    const key = this.keys.get(name)
    if (!key) throw new Error(`no key ${name}`)
    return createPublicKey(key)
  }
}

type Answer = readonly [status: number, body: object]

function awsAnswer(vault: Vault, target: string, input: Record<string, string>): Answer {
  if (vault.isAway) return [503, { __type: "DependencyTimeoutException" }]
  const { KeyId = "", KeySpec = "", CiphertextBlob = "", EncryptionAlgorithm } = input
  const bytes = Buffer.from(CiphertextBlob, "base64")
  switch (target) {
    case "TrentService.CreateKey": {
      const Arn = `arn:aws:kms:eu-central-1:1:key/${randomUUID()}`
      vault.make(Arn, Number(KeySpec.replace("RSA_", "")))
      return [200, { KeyMetadata: { Arn, KeyId: Arn.split("/")[1] } }]
    }
    case "TrentService.GetPublicKey":
      return [
        200,
        { PublicKey: vault.publicOf(KeyId).export({ type: "spki", format: "der" }).toString("base64") },
      ]
    case "TrentService.Decrypt": {
      const opened = EncryptionAlgorithm === "RSAES_OAEP_SHA_256" ? vault.open(KeyId, bytes) : undefined
      return opened
        ? [200, { KeyId, Plaintext: opened.toString("base64") }]
        : [400, { __type: "InvalidCiphertextException" }]
    }
    case "TrentService.ScheduleKeyDeletion":
      vault.keys.delete(KeyId)
      return [200, { KeyId }]
    default:
      return [400, { __type: "UnknownOperationException" }]
  }
}

/** AWS KMS, as JSON over HTTP. */
export async function startAwsDouble(vault: Vault): Promise<{ endpoint: string; close(): void }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const input = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>
      const [status, body] = awsAnswer(vault, String(request.headers["x-amz-target"]), input)
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

/** What Azure's clients hand to their transport. */
interface PipelineRequest {
  readonly url: string
  readonly method: string
  readonly body?: unknown
  readonly headers: { get(name: string): string | undefined }
}

const CHALLENGE = `Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"`

function azureAnswer(vault: Vault, { url, method, body }: PipelineRequest): Answer {
  if (vault.isAway) return [503, { error: { code: "ServiceUnavailable" } }]
  const { origin, pathname } = new URL(url)
  const [, , name = "", version = "", verb = ""] = pathname.split("/")
  const input = typeof body === "string" ? (JSON.parse(body) as Record<string, string | number>) : {}
  const kid = `${origin}/keys/${name}/${version === "" || version === "create" ? "v1" : version}`
  if (method === "POST" && version === "create") {
    const jwk = vault.make(kid, Number(input["key_size"])).export({ format: "jwk" })
    return [
      200,
      {
        key: { kid, kty: "RSA", n: jwk.n, e: jwk.e, key_ops: input["key_ops"] },
        attributes: { enabled: true },
      },
    ]
  }
  if (pathname.startsWith("/deletedkeys/")) return [200, { key: { kid, kty: "RSA" }, attributes: {} }]
  if (method === "GET") {
    const jwk = vault.publicOf(kid).export({ format: "jwk" })
    return [
      200,
      {
        key: { kid, kty: "RSA", n: jwk.n, e: jwk.e, key_ops: ["encrypt", "decrypt"] },
        attributes: { enabled: true },
      },
    ]
  }
  if (method === "POST" && verb === "decrypt" && input["alg"] === "RSA-OAEP-256") {
    const opened = vault.open(kid, Buffer.from(String(input["value"]), "base64url"))
    return opened
      ? [200, { kid, value: opened.toString("base64url") }]
      : [400, { error: { code: "BadParameter" } }]
  }
  if (method === "DELETE") {
    vault.keys.delete(kid)
    return [200, { key: { kid, kty: "RSA" }, recoveryId: `${origin}/deletedkeys/${name}`, attributes: {} }]
  }
  return [404, { error: { code: "NotFound" } }]
}

/** Azure Key Vault, as the transport of its clients. `makeHeaders` is the clients' own. */
export function azureTransport(vault: Vault, makeHeaders: (init: Record<string, string>) => unknown): object {
  return {
    async sendRequest(request: PipelineRequest) {
      const isKnown = request.headers.get("authorization") === "Bearer token"
      const [status, body] = isKnown ? azureAnswer(vault, request) : ([401, {}] as const)
      const headers = {
        "content-type": "application/json",
        ...(isKnown ? {} : { "www-authenticate": CHALLENGE }),
      }
      return { request, status, headers: makeHeaders(headers), bodyAsText: JSON.stringify(body) }
    },
  }
}

const rpcError = (code: number): Error => Object.assign(new Error(`${code}`), { code })

/** The methods of Google's client. */
export function googleDouble(vault: Vault): object {
  let isReady = true
  return {
    async createCryptoKey(request: {
      parent: string
      cryptoKeyId: string
      cryptoKey: { versionTemplate: { algorithm: string } }
    }) {
      const name = `${request.parent}/cryptoKeys/${request.cryptoKeyId}`
      const [bits = ""] = /\d{4}/.exec(request.cryptoKey.versionTemplate.algorithm) ?? []
      vault.make(`${name}/cryptoKeyVersions/1`, Number(bits))
      isReady = false
      return [{ name }]
    },
    async getPublicKey({ name }: { name: string }) {
      const wasReady = isReady
      isReady = true
      if (!wasReady) throw rpcError(9)
      return [{ pem: vault.publicOf(name).export({ type: "spki", format: "pem" }).toString() }]
    },
    async asymmetricDecrypt({ name, ciphertext }: { name: string; ciphertext: Uint8Array }) {
      if (vault.isAway) throw rpcError(14)
      const plaintext = vault.open(name, ciphertext)
      if (!plaintext) throw rpcError(3)
      return [{ plaintext }]
    },
    async destroyCryptoKeyVersion({ name }: { name: string }) {
      vault.keys.delete(name)
      return [{ name }]
    },
  }
}
