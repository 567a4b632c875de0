/**
 * Azure Key Vault and Managed HSM in this process, as the transport of their real clients. They refuse what the services refuse:
 * unknown keys, operations that a key was not made for, algorithms of other types of keys, digests of another length, and symmetric keys
 * outside a Managed HSM.
 *
 * @module
 */

import { decryptOaep, hmacSha256, signDigest, type Vault, type VaultKey } from "./kms-vault.ts"

/** What Azure's clients hand to their transport. */
interface PipelineRequest {
  readonly url: string
  readonly method: string
  readonly body?: unknown
  readonly headers: { get(name: string): string | undefined }
}

interface Input {
  readonly kty?: string
  readonly key_size?: number
  readonly key_ops?: readonly string[]
  readonly alg?: string
  readonly value?: string
}
type Answer = readonly [status: number, body: object]

const HSM = ".managedhsm.azure.net"
const DIGEST_BYTES = 32

const refusal = (status: number, code: string): Answer => [status, { error: { code } }]

function bundleOf(vault: Vault, kid: string, { key, use }: VaultKey): Answer {
  const shown = key.type === "private" ? vault.publicOf(kid).export({ format: "jwk" }) : { kty: "oct-HSM" }
  return [200, { key: { ...shown, kid, key_ops: use.split(" ") }, attributes: { enabled: true } }]
}

function create(vault: Vault, kid: string, { kty = "", key_size = 0, key_ops = [] }: Input): Answer {
  const isRsa = /^RSA(?:-HSM)?$/.test(kty)
  const isSecret = kty === "oct-HSM" && new URL(kid).hostname.endsWith(HSM) && key_size === 256
  if (!isRsa && !isSecret) return refusal(400, "BadParameter")
  if (isRsa) vault.makePair(kid, key_size, key_ops.join(" "))
  else vault.makeSecret(kid, key_ops.join(" "))
  return bundleOf(vault, kid, vault.keys.get(kid) as VaultKey)
}

function decrypt(key: VaultKey, value: Buffer, alg: string): Buffer | undefined {
  return alg === "RSA-OAEP-256" && key.key.type === "private" ? decryptOaep(key, value) : undefined
}

function sign(key: VaultKey, value: Buffer, alg: string): Buffer | undefined {
  if (value.length !== DIGEST_BYTES) return undefined
  if (alg === "RS256" && key.key.type === "private") return signDigest(key, value)
  return alg === "HS256" && key.key.type === "secret" ? hmacSha256(key, value) : undefined
}

const OPERATIONS: Readonly<Record<string, typeof decrypt>> = { decrypt, sign }

function answer(vault: Vault, { url, method, body }: PipelineRequest): Answer {
  if (vault.isAway) return refusal(503, "ServiceUnavailable")
  const { origin, pathname } = new URL(url)
  const [, , name = "", version = "", verb = ""] = pathname.split("/")
  const input = typeof body === "string" ? (JSON.parse(body) as Input) : {}
  const kid = `${origin}/keys/${name}/${version === "" || version === "create" ? "v1" : version}`
  if (method === "POST" && version === "create") return create(vault, kid, input)
  if (pathname.startsWith("/deletedkeys/")) return [200, { key: { kid, kty: "RSA" }, attributes: {} }]
  const key = vault.keys.get(kid)
  if (!key) return refusal(404, "KeyNotFound")
  if (method === "GET") return bundleOf(vault, kid, key)
  if (method === "DELETE") {
    vault.keys.delete(kid)
    return [200, { key: { kid, kty: "RSA" }, recoveryId: `${origin}/deletedkeys/${name}`, attributes: {} }]
  }
  if (!key.use.split(" ").includes(verb)) return refusal(403, "Forbidden")
  const value = Buffer.from(input.value ?? "", "base64url")
  const result = OPERATIONS[verb]?.(key, value, input.alg ?? "")
  return result ? [200, { kid, value: result.toString("base64url") }] : refusal(400, "BadParameter")
}

/** Where to get a token, for which kind of service. */
const challenge = (url: string): string =>
  `Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://${new URL(url).hostname.replace(/^[^.]+\./, "")}"`

/** The transport. `makeHeaders` is the clients' own. */
export function azureTransport(vault: Vault, makeHeaders: (init: Record<string, string>) => unknown): object {
  return {
    async sendRequest(request: PipelineRequest) {
      const isKnown = request.headers.get("authorization") === "Bearer token"
      const [status, body] = isKnown ? answer(vault, request) : ([401, {}] as const)
      const headers = {
        "content-type": "application/json",
        ...(isKnown ? {} : { "www-authenticate": challenge(request.url) }),
      }
      return { request, status, headers: makeHeaders(headers), bodyAsText: JSON.stringify(body) }
    },
  }
}
