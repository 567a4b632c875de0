// Access tokens of an identity provider, verified by jose. Run: node examples/jwt.mjs
import {
  createLocalJWKSet,
  errors,
  exportJWK,
  generateKeyPair as generateJwtKeys,
  jwtVerify,
  SignJWT,
} from "jose"
import { createReplayGuard, generateKeyPair, memoryStore, SealwireError } from "sealwire"
import { createClient } from "sealwire/client"
import { generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint } from "sealwire/server"

// The identity provider, played here. In production: createRemoteJWKSet(new URL("https://id.example.com/jwks.json")).
const issuer = "https://id.example.com"
const audience = "https://api.example.com"
const { publicKey, privateKey: issuing } = await generateJwtKeys("ES256")
const jwks = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES256" }] })

/** @type {import("sealwire/server").AuthenticateToken} */
async function token(request) {
  const [, jwt = ""] = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "") ?? []
  if (jwt === "") return undefined
  try {
    // name the algorithms, the issuer and the audience: a token for another server is none
    const { payload } = await jwtVerify(jwt, jwks, {
      issuer,
      audience,
      algorithms: ["ES256"],
      requiredClaims: ["sub", "exp"],
    })
    return { id: String(payload.sub), scopes: String(payload["scope"] ?? "").split(" ") }
  } catch (error) {
    // not the token's fault: the client may try again
    if (error instanceof errors.JWKSTimeout) throw new SealwireError("ERR_KEY_UNAVAILABLE", "no JWKS")
    return undefined
  }
}

const replay = createReplayGuard({ store: memoryStore() })
const { privateKey } = await generateKeyPair()
const { signingKey: identity } = await generateSigningKeyPair()
const endpoint = createEndpoint({
  origin: audience,
  keys: privateKey,
  directory: { identity },
  replay,
  authenticate: { token },
  limits: false, // nobody is asked over a network here
  routes: { "/reports": { level: "high", scopes: ["reports:read"] } },
})

/** @type {import("sealwire/server").Handler} */
const handler = (_, { principal }) => Response.json({ by: principal?.id })
const client = createClient({
  baseUrl: audience,
  pins: [identity.kid],
  fetch: (url, init) => endpoint.handle(new Request(url, init), handler),
})

/** @param {string} scope @param {string} [forWhom] */
async function ask(scope, forWhom = audience) {
  const jwt = new SignJWT({ scope }).setProtectedHeader({ alg: "ES256" }).setSubject("ann")
  const signed = await jwt.setIssuer(issuer).setAudience(forWhom).setExpirationTime("5 min").sign(issuing)
  return client.fetch("/reports", { headers: { authorization: `Bearer ${signed}` } })
}

const allowed = await ask("reports:read profile")
console.log("answer:", await allowed.json()) // {"by":"ann"}
console.log("without the scope:", (await ask("profile")).status) // 403
console.log("for another server:", (await ask("reports:read", "https://other.example.com")).status) // 401
console.log("without a token:", (await client.fetch("/reports")).status) // 401
