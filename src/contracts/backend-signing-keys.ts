/**
 * The part of the backend contract about signing keys: Ed25519 and P-256 (docs/protocol.md §2).
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { PrivateJwk, PublicJwk, SignatureAlgorithm } from "../crypto/backend.ts"
import { assert, assertEqual, assertRangeError, type ContractCase, fromHex, toHex } from "./assert.ts"
import type { BackendPair } from "./backend-pair.ts"

interface Answer {
  readonly jwk: PrivateJwk
  readonly data: Bytes
  readonly signature: Bytes
  /** The public members, in the order in which a thumbprint has them. */
  readonly members: readonly string[]
}

const ascii = (text: string): Bytes => new TextEncoder().encode(text)

const ANSWERS: Readonly<Record<SignatureAlgorithm, Answer>> = {
  // RFC 8032 §7.1 test 1, as a JWK in RFC 8037 appendix A.1
  Ed25519: {
    jwk: {
      kty: "OKP",
      crv: "Ed25519",
      d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
    data: new Uint8Array(0),
    signature: fromHex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    members: ["crv", "kty", "x"],
  },
  // RFC 7515 appendix A.3
  ES256: {
    jwk: {
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
      d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    },
    data: ascii(
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    ),
    signature: fromHex(
      "0ed1215379636c483c2f7f155807d402a3b228033af97c7e17819ac3169ea665c50a07d38c3c70e5d8f12daf084a5480a66590c5f293509a8f3f7f8a83a354d5",
    ),
    members: ["crv", "kty", "x", "y"],
  },
}

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

const publicPart = ({ jwk, members }: Answer): PublicJwk =>
  Object.fromEntries(members.map((name) => [name, jwk[name]])) as PublicJwk

/** The other signature of ECDSA: s and n − s verify alike. */
function withOtherS(signature: Bytes): Bytes {
  const s = P256_ORDER - BigInt(`0x${toHex(signature.subarray(32))}`)
  return fromHex(toHex(signature.subarray(0, 32)) + s.toString(16).padStart(64, "0"))
}

function verifyCases({ backend, reference }: BackendPair, algorithm: SignatureAlgorithm): ContractCase[] {
  const answer = ANSWERS[algorithm]
  return [
    {
      name: `verifies the known ${algorithm} signature, and nothing of which one byte was changed`,
      async run() {
        const key = await backend.importVerifyKey(publicPart(answer), algorithm)
        assert(await key.verify(answer.signature, answer.data), "the known signature to verify")
        for (let i = 0; i < answer.signature.length; i++) {
          const changed = new Uint8Array(answer.signature)
          changed[i] = (changed[i] ?? 0) ^ 1
          assert(
            !(await key.verify(changed, answer.data)),
            `a signature with byte ${i} changed not to verify`,
          )
        }
        assert(
          !(await key.verify(answer.signature, ascii("other"))),
          "a signature of other data not to verify",
        )
        assert(!(await key.verify(new Uint8Array(64), answer.data)), "a signature of zeros not to verify")
      },
    },
    {
      name: `verifies ${algorithm} signatures by the reference, and the reverse`,
      async run() {
        for (const length of [0, 1, 32, 1000]) {
          const data = reference.randomBytes(length + 1).subarray(1)
          for (const [signer, verifier] of [
            [backend, reference],
            [reference, backend],
          ] as const) {
            const key = await signer.importSignKey(answer.jwk, algorithm, false)
            const signature = await key.sign(data)
            assert(signature.length === 64, "a signature of 64 bytes")
            const verifying = await verifier.importVerifyKey(publicPart(answer), algorithm)
            assert(
              await verifying.verify(signature, data),
              `${verifier.name} to verify what ${signer.name} signs`,
            )
          }
        }
      },
    },
    {
      name: `refuses ${algorithm} signatures of other than 64 bytes`,
      async run() {
        const key = await backend.importVerifyKey(publicPart(answer), algorithm)
        for (const length of [0, 63, 65, 72]) {
          await assertRangeError(() => key.verify(new Uint8Array(length), answer.data), `${length} bytes`)
        }
      },
    },
  ]
}

function keyCases({ backend, reference }: BackendPair, algorithm: SignatureAlgorithm): ContractCase[] {
  const answer = ANSWERS[algorithm]
  return [
    {
      name: `exports a private ${algorithm} key only when it is extractable`,
      async run() {
        const closed = await backend.importSignKey(answer.jwk, algorithm, false)
        assert(closed.toJwk === undefined, "no toJwk on a key that is not extractable")
        const exported = await (await backend.importSignKey(answer.jwk, algorithm, true)).toJwk?.()
        for (const name of [...answer.members, "d"]) {
          assert(exported?.[name] === answer.jwk[name], `${name} of the exported JWK to be as imported`)
        }
      },
    },
    {
      name: `generates ${algorithm} keys that the reference understands`,
      async run() {
        const { publicJwk, handle } = await backend.generateSignature(algorithm, true)
        assert(
          Object.keys(publicJwk).sort().join() === answer.members.join(),
          "the public members and no others",
        )
        const data = ascii("generated")
        const verifying = await reference.importVerifyKey(publicJwk, algorithm)
        assert(await verifying.verify(await handle.sign(data), data), "the reference to verify")
        const exported = await handle.toJwk?.()
        if (exported === undefined) throw new Error("expected an extractable key to have a toJwk")
        const imported = await reference.importSignKey(exported, algorithm, false)
        assert(await verifying.verify(await imported.sign(data), data), "the exported key to be the same key")
        const closed = await backend.generateSignature(algorithm, false)
        assert(closed.handle.toJwk === undefined, "no toJwk on a key that is not extractable")
        assert(closed.publicJwk["x"] !== publicJwk["x"], "two generated keys to differ")
      },
    },
  ]
}

function schemeCases({ backend }: BackendPair): ContractCase[] {
  return [
    {
      name: "signs with Ed25519 to the known answer",
      async run() {
        const { jwk, data, signature } = ANSWERS.Ed25519
        const key = await backend.importSignKey(jwk, "Ed25519", false)
        assertEqual(await key.sign(data), signature, "the signature")
      },
    },
    {
      name: "verifies both forms of an ES256 signature, with high and with low s",
      async run() {
        const answer = ANSWERS.ES256
        const key = await backend.importVerifyKey(publicPart(answer), "ES256")
        const other = withOtherS(answer.signature)
        assertEqual(withOtherS(other), answer.signature, "the signature turned twice")
        assert(await key.verify(other, answer.data), "the other form to verify")
      },
    },
    {
      name: "verifies nothing with an ES256 public key that is not on the curve",
      async run() {
        const { signature, data } = ANSWERS.ES256
        const jwk = publicPart(ANSWERS.ES256)
        const beside = { ...jwk, y: jwk["x"] ?? "" }
        // most refuse such a point at import; Deno throws when it is used, WebKitGTK finds every signature wrong
        const attempt = async (): Promise<boolean> => {
          const key = await backend.importVerifyKey(beside, "ES256")
          return key.verify(signature, data)
        }
        const verified = await attempt().catch(() => false)
        assert(!verified, "no signature to be verified by a point beside the curve")
      },
    },
  ]
}

/** Cases of Ed25519 and P-256 keys. */
export function signingKeyCases(pair: BackendPair): ContractCase[] {
  const each = (["Ed25519", "ES256"] as const).flatMap((algorithm) => [
    ...verifyCases(pair, algorithm),
    ...keyCases(pair, algorithm),
  ])
  return [...each, ...schemeCases(pair)]
}
