/** AES-GCM, HMAC and HKDF. What is outside the profile (docs/protocol.md §1 to §3) is refused, or counted as such. */

import { type Bytes, concat } from "../../src/base/bytes.ts"
import { assert, assertEqual, assertRangeError, refusal } from "../../src/contracts/assert.ts"
import type { Backend } from "../../src/crypto/backend.ts"
import { bytes, type Case, type Suite, tally } from "./vectors.ts"

async function checkAesGcm(backend: Backend, test: Case): Promise<string> {
  const [key, iv, aad, message] = [
    bytes(test, "key"),
    bytes(test, "iv"),
    bytes(test, "aad"),
    bytes(test, "msg"),
  ]
  const [ciphertext, tag] = [bytes(test, "ct"), bytes(test, "tag")]
  const sealed = { ciphertext, tag }
  if (key.length !== 32 || iv.length !== 12) {
    await assertRangeError(() => backend.openAesGcm(key, iv, aad, sealed), "opening with other sizes")
    await assertRangeError(() => backend.sealAesGcm(key, iv, aad, message), "sealing with other sizes")
    return "other sizes, refused"
  }
  if (test.result !== "valid") {
    await refusal(() => backend.openAesGcm(key, iv, aad, sealed), "a forgery")
    return "forged, refused"
  }
  assertEqual(new Uint8Array(await backend.openAesGcm(key, iv, aad, sealed)), message, "the plaintext")
  const made = await backend.sealAesGcm(key, iv, aad, message)
  assertEqual(new Uint8Array(made.ciphertext), ciphertext, "the ciphertext")
  assertEqual(new Uint8Array(made.tag), tag, "the tag")
  return "opened and sealed"
}

async function checkHmac(backend: Backend, test: Case): Promise<string> {
  const [key, message, tag] = [bytes(test, "key"), bytes(test, "msg"), bytes(test, "tag")]
  if (key.length !== 32) {
    await assertRangeError(() => backend.hmacSha256(key, message), "a key of another size")
    return "other keys, refused"
  }
  // truncated tags are not in the profile: no call of a backend takes or gives one
  if (tag.length !== 32) return "truncated, not in the profile"
  const mac = await backend.hmacSha256(key, message)
  const same = mac.every((byte, i) => byte === tag[i])
  assert(same === (test.result === "valid"), same ? "a forgery to differ" : "the tag to be equal")
  return same ? "authenticated" : "forged, refused"
}

/** HMAC fills a short key up with zeros, so a salt of at most 32 bytes may come so filled. */
function padded(salt: Bytes): Bytes {
  const key = new Uint8Array(32)
  key.set(salt)
  return key
}

async function checkHkdf(backend: Backend, test: Case): Promise<string> {
  const [ikm, salt, info, okm] = [
    bytes(test, "ikm"),
    bytes(test, "salt"),
    bytes(test, "info"),
    bytes(test, "okm"),
  ]
  const size = test.size ?? 0
  if (size > 32 || salt.length > 32) return "more than one block or longer salt, not in the profile"
  assert(test.result === "valid", "no invalid case among these")
  const extracted = await backend.hmacSha256(padded(salt), ikm)
  const block = await backend.hmacSha256(extracted, concat(info, new Uint8Array([1])))
  assertEqual(new Uint8Array(block.subarray(0, size)), okm, "the output")
  return "derived"
}

/** The files that need no key objects. */
export const SYMMETRIC: readonly Suite[] = [
  {
    name: "aes_gcm",
    run: (backend, groups) => tally(groups, (test) => checkAesGcm(backend, test)),
    expected: () => ({ "opened and sealed": 39, "forged, refused": 27, "other sizes, refused": 250 }),
  },
  {
    name: "hmac_sha256",
    run: (backend, groups) => tally(groups, (test) => checkHmac(backend, test)),
    expected: () => ({
      authenticated: 27,
      "forged, refused": 54,
      "other keys, refused": 12,
      "truncated, not in the profile": 81,
    }),
  },
  {
    name: "hkdf_sha256",
    run: (backend, groups) => tally(groups, (test) => checkHkdf(backend, test)),
    expected: () => ({ derived: 26, "more than one block or longer salt, not in the profile": 60 }),
  },
]
