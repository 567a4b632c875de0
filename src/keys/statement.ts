/**
 * What a server's identity key says: the key directory (docs/protocol.md §7) and the offer of a session (§6).
 * A compact JWS that brings its public key along; a reader believes that key only when its thumbprint is pinned.
 *
 * @module
 */

import { canonicalJson, serializeJson } from "../base/canonical-json.ts"
import { parseJson } from "../base/json.ts"
import type { JsonObject } from "../base/json-value.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"
import type { Backend, Jwk } from "../crypto/backend.ts"
import { materialOf, type SigningKey } from "./key.ts"
import { isSignedBy, parseJws } from "./read-jws.ts"
import { signJws } from "./sign-jws.ts"
import { verifyingKeyOf } from "./signer.ts"

/** `typ`. */
export type StatementType = "sw1-keys" | "sw1-offer"

/** A statement by a pinned identity. */
export interface Statement {
  /** Thumbprint of the identity key. */
  readonly identity: string
  /** An object of RFC 8785 JSON, parsed; its members are the reader's to check. */
  readonly payload: Readonly<Record<string, unknown>>
}

const HEADER =
  /^\{"alg":"(Ed25519|ES256)","jwk":(\{"crv":"(?:Ed25519|P-256)","kty":"(?:OKP|EC)","x":"[\w-]{43}"(?:,"y":"[\w-]{43}")?\}),"kid":"([\w-]{43})","typ":"(sw1-keys|sw1-offer)"\}$/

/** Signs a payload of plain JSON values. */
export async function signStatement(
  identity: SigningKey,
  type: StatementType,
  payload: object,
): Promise<string> {
  const { jwk } = materialOf(identity, "signing", "identity")
  const header = canonicalJson({ alg: identity.algorithm, jwk, kid: identity.kid, typ: type })
  return signJws(identity, header, encodeAscii(canonicalJson(payload)))
}

/** The payload, where its bytes are the canonical ones. */
function parsePayload(text: string | undefined): Statement["payload"] | undefined {
  try {
    const payload = parseJson(text ?? "")
    const isObject = typeof payload === "object" && payload !== null && !Array.isArray(payload)
    return isObject && serializeJson(payload as JsonObject) === text
      ? (payload as Statement["payload"])
      : undefined
  } catch {
    return undefined
  }
}

/**
 * Reads a statement of that type by one of the pinned identities; undefined for anything else.
 *
 * @throws `SealwireError` `ERR_KEY` when the pinned key itself is one that §2 refuses.
 */
export async function readStatement(
  backend: Backend,
  text: string,
  type: StatementType,
  pins: readonly string[],
): Promise<Statement | undefined> {
  const jws = parseJws(text)
  const [, algorithm, jwk = "", kid = "", typ] = HEADER.exec(jws?.header ?? "") ?? []
  // a stranger's key is not even imported
  if (!jws || typ !== type || !pins.includes(kid)) return undefined
  const identity = await verifyingKeyOf(backend, JSON.parse(jwk) as Jwk)
  if (identity.kid !== kid || identity.algorithm !== algorithm) return undefined
  if (!(await isSignedBy(identity, jws))) return undefined
  const payload = parsePayload(decodeUtf8(jws.payload))
  return payload && { identity: kid, payload }
}
