/** RSA-OAEP, Ed25519 and ECDSA. */

import { assert, assertCode, assertEqual, assertRangeError, refusal } from "../../src/contracts/assert.ts"
import type { Backend, PrivateJwk, PublicJwk, SignatureAlgorithm } from "../../src/crypto/backend.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { bytes, type Case, type Group, type Suite, tally, type Tally } from "./vectors.ts"

/** `kid` and `alg` of Wycheproof's JWKs are not this protocol's, whose checks come before any backend. */
function membersOf(jwk: object): PublicJwk {
  const { kid, alg, ...members } = jwk as PublicJwk
  return members
}

async function checkOaep(backend: Backend, test: Case, group: Group): Promise<string> {
  const jwk = membersOf(group["privateKeyJwk"] as object) as PrivateJwk
  if (backend.name === "noble") {
    await assertCode(() => backend.importUnwrapKey(jwk, false), "ERR_UNSUPPORTED", "a private RSA key")
    return "unsupported, refused"
  }
  const decoded = await backend.decodeDer("pkcs8", bytes(group, "privateKeyPkcs8"))
  assert(decoded["d"] === jwk.d, "the PKCS #8 and the JWK to be one key")
  const key = await backend.importUnwrapKey(jwk, false)
  const encrypted = bytes(test, "ct")
  if (test.result !== "valid") {
    await refusal(() => key.unwrap(encrypted), "an invalid ciphertext")
    return "invalid, refused"
  }
  // valid under their label, but this protocol's is empty
  if (test["label"] !== "") {
    await refusal(() => key.unwrap(encrypted), "a ciphertext with a label")
    return "labelled, refused"
  }
  assertEqual(new Uint8Array(await key.unwrap(encrypted)), bytes(test, "msg"), "the message")
  return "unwrapped"
}

function checkSignature(algorithm: SignatureAlgorithm) {
  return async (backend: Backend, test: Case, group: Group): Promise<string> => {
    // from DER, and by Node: some groups have no JWK, and noble reads no DER
    const jwk = membersOf(await node.decodeDer("spki", bytes(group, "publicKeyDer")))
    const key = await backend.importVerifyKey(jwk, algorithm)
    const [signature, data] = [bytes(test, "sig"), bytes(test, "msg")]
    if (signature.length !== 64) {
      assert(test.result === "invalid", "no valid signature of another size")
      await assertRangeError(() => key.verify(signature, data), `a signature of ${signature.length} bytes`)
      return "other sizes, refused"
    }
    const verified = await key.verify(signature, data)
    assert(verified === (test.result === "valid"), verified ? "a forgery not to verify" : "it to verify")
    return verified ? "verified" : "forged, refused"
  }
}

function signatures(name: Suite["name"], algorithm: SignatureAlgorithm, expected: Tally): Suite {
  const check = checkSignature(algorithm)
  return {
    name,
    run: (backend, groups) => tally(groups, (test, group) => check(backend, test, group)),
    expected: () => expected,
  }
}

/** The files about key pairs. No case of theirs is "acceptable", and no backend answers one in its own way. */
export const ASYMMETRIC: readonly Suite[] = [
  {
    name: "rsa_oaep_2048_sha256_mgf1sha256",
    run: (backend, groups) => tally(groups, (test, group) => checkOaep(backend, test, group)),
    expected: ({ name }) =>
      name === "noble"
        ? { "unsupported, refused": 37 }
        : { unwrapped: 10, "labelled, refused": 8, "invalid, refused": 19 },
  },
  signatures("ed25519", "Ed25519", { verified: 88, "forged, refused": 51, "other sizes, refused": 12 }),
  signatures("ecdsa_secp256r1_sha256_p1363", "ES256", {
    verified: 173,
    "forged, refused": 68,
    "other sizes, refused": 21,
  }),
]
