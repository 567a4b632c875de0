/**
 * A client's part of enrolling its signing key. docs/guides/authentication.md.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import { readContext } from "../envelope/context.ts"
import { sealerFor } from "../envelope/sealer.ts"
import { enrolmentContext, type SigningKeyProof } from "../http/enrolment.ts"
import { readOrigin } from "../http/wire.ts"
import { exportJwk } from "../keys/export-jwk.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"

/** Options of {@link proveSigningKey}. */
export interface ProveSigningKeyOptions {
  /** The key to enrol. */
  readonly signingKey: SigningKey
  /** The server's key, as `client.keys()` gives it first. */
  readonly to: PublicKey
  /** The server's origin, as it is configured there. */
  readonly origin: string
  /** The id of the principal that the client is to the server. */
  readonly principal: string
}

/**
 * Proves that the caller has a signing key, and whose it is to be: for this server and this principal, once, for as long as the
 * server takes messages to be fresh. Send it authenticated by what the server knows already, such as an API key.
 *
 * @throws `TypeError` for wrong options.
 * @example
 * ```ts
 * import { proveSigningKey } from "sealwire/client"
 * import { generateKeyPair, generateSigningKeyPair } from "sealwire/keys"
 *
 * const { publicKey: to } = await generateKeyPair() // (await client.keys())[0]
 * const { signingKey } = await generateSigningKeyPair()
 * const origin = "https://api.example.com"
 * const body = JSON.stringify(await proveSigningKey({ signingKey, to, origin, principal: "acme" }))
 * ```
 */
export async function proveSigningKey(options: ProveSigningKeyOptions): Promise<SigningKeyProof> {
  assertOptions(options, "options", ["signingKey", "to", "origin", "principal"])
  const { signingKey, to, principal } = options
  materialOf(signingKey, "signing", "options.signingKey")
  const context = readContext(enrolmentContext(readOrigin(options.origin, "options.origin"), principal))
  const seal = sealerFor("sw1", { to, context, signWith: signingKey })
  const { envelope: proof } = await seal(new Uint8Array(0))
  return { jwk: await exportJwk(signingKey.verifyingKey), proof }
}
