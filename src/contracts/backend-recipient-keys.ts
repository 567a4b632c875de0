/**
 * The part of the backend contract about recipient keys: RSA-OAEP with SHA-256 (docs/protocol.md §2).
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { PrivateJwk } from "../crypto/backend.ts"
import { assert, assertCode, assertEqual, assertRangeError, type ContractCase, refusal } from "./assert.ts"
import { type BackendPair, once } from "./backend-pair.ts"

const MODULUS_BYTES = 256

/** Ciphertexts that are nobody's: none, short, long, 0, 1, and the largest number of that size. */
const GARBAGE: readonly Bytes[] = [
  new Uint8Array(0),
  new Uint8Array(MODULUS_BYTES - 1).fill(7),
  new Uint8Array(MODULUS_BYTES + 1).fill(7),
  new Uint8Array(MODULUS_BYTES),
  new Uint8Array(MODULUS_BYTES).fill(1, MODULUS_BYTES - 1),
  new Uint8Array(MODULUS_BYTES).fill(255),
]

interface Fixture {
  readonly publicJwk: { readonly kty: string; readonly [member: string]: string }
  readonly privateJwk: PrivateJwk
}

async function generateFixture({ reference }: BackendPair): Promise<Fixture> {
  const { publicJwk, handle } = await reference.generateRsa(2048, true)
  const privateJwk = await handle.toJwk?.()
  if (privateJwk === undefined)
    throw new Error("the reference backend cannot export the key it was asked for")
  return { publicJwk, privateJwk }
}

function wrapCases(pair: BackendPair, fixture: () => Promise<Fixture>): ContractCase[] {
  const { backend, reference } = pair
  return [
    {
      name: "wraps what the reference unwraps, differently each time",
      async run() {
        const { publicJwk, privateJwk } = await fixture()
        const [here, there] = [
          await backend.importWrapKey(publicJwk),
          await reference.importUnwrapKey(privateJwk, false),
        ]
        const contentKey = reference.randomBytes(32)
        const [first, second] = [await here.wrap(contentKey), await here.wrap(contentKey)]
        assert(
          first.length === MODULUS_BYTES && second.length === MODULUS_BYTES,
          "as many bytes as the modulus has",
        )
        assert(
          first.some((byte, i) => byte !== second[i]),
          "two wraps of one key to differ",
        )
        assertEqual(new Uint8Array(await there.unwrap(first)), contentKey, "the content key")
        assertEqual(new Uint8Array(await there.unwrap(second)), contentKey, "the content key")
      },
    },
    {
      name: "refuses to wrap other than 32 bytes",
      async run() {
        const key = await backend.importWrapKey((await fixture()).publicJwk)
        for (const length of [0, 31, 33, 190]) {
          await assertRangeError(() => key.wrap(new Uint8Array(length)), `a content key of ${length} bytes`)
        }
      },
    },
    {
      name: "gives a public key no private members",
      async run() {
        const key = await backend.importWrapKey((await fixture()).publicJwk)
        assert(key.toJwk === undefined, "no toJwk on a public key")
      },
    },
  ]
}

function unwrapCases({ backend, reference }: BackendPair, fixture: () => Promise<Fixture>): ContractCase[] {
  return [
    {
      name: "unwraps what the reference wraps",
      async run() {
        const { publicJwk, privateJwk } = await fixture()
        const there = await reference.importWrapKey(publicJwk)
        const contentKey = reference.randomBytes(32)
        const here = await backend.importUnwrapKey(privateJwk, false)
        assertEqual(await here.unwrap(await there.wrap(contentKey)), contentKey, "the content key")
      },
    },
    {
      name: "unwraps sixty-four keys at once, each to its own",
      async run() {
        const { publicJwk, privateJwk } = await fixture()
        const there = await reference.importWrapKey(publicJwk)
        const here = await backend.importUnwrapKey(privateJwk, false)
        const contentKeys = Array.from({ length: 64 }, (_, i) => new Uint8Array(32).fill(i + 1))
        const wrapped = await Promise.all(contentKeys.map((contentKey) => there.wrap(contentKey)))
        const unwrapped = await Promise.all(wrapped.map((encryptedKey) => here.unwrap(encryptedKey)))
        contentKeys.forEach((contentKey, i) => {
          assertEqual(unwrapped[i] ?? new Uint8Array(0), contentKey, `content key ${i}`)
        })
      },
    },
    {
      name: "rejects what was not wrapped for the key, and goes on working",
      async run() {
        const { publicJwk, privateJwk } = await fixture()
        const here = await backend.importUnwrapKey(privateJwk, false)
        const contentKey = new Uint8Array(32).fill(7)
        const wrapped = await (await reference.importWrapKey(publicJwk)).wrap(contentKey)
        for (const garbage of GARBAGE) {
          await refusal(() => here.unwrap(garbage), `an encrypted key of ${garbage.length} bytes`)
        }
        for (const index of [0, 128, MODULUS_BYTES - 1]) {
          const changed = new Uint8Array(wrapped)
          changed[index] = (changed[index] ?? 0) ^ 1
          await refusal(() => here.unwrap(changed), `byte ${index} changed`)
        }
        assertEqual(await here.unwrap(wrapped), contentKey, "the content key")
      },
    },
    {
      name: "unwraps content keys that begin with zero bytes",
      async run() {
        const { publicJwk, privateJwk } = await fixture()
        const here = await backend.importUnwrapKey(privateJwk, false)
        const there = await reference.importWrapKey(publicJwk)
        for (const zeros of [1, 2, 32]) {
          const contentKey = new Uint8Array(32).fill(7, zeros)
          assertEqual(await here.unwrap(await there.wrap(contentKey)), contentKey, "the content key")
        }
      },
    },
    {
      name: "exports a private recipient key only when it is extractable",
      async run() {
        const { privateJwk } = await fixture()
        const [closed, open] = [
          await backend.importUnwrapKey(privateJwk, false),
          await backend.importUnwrapKey(privateJwk, true),
        ]
        assert(closed.toJwk === undefined, "no toJwk on a key that is not extractable")
        const exported = await open.toJwk?.()
        for (const name of ["kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"]) {
          assert(exported?.[name] === privateJwk[name], `${name} of the exported JWK to be as imported`)
        }
      },
    },
    {
      name: "generates a recipient key of the size asked for, with exponent 65537",
      async run() {
        const { publicJwk, handle } = await backend.generateRsa(2048, false)
        assert(handle.toJwk === undefined, "no toJwk on a key that is not extractable")
        assert(Object.keys(publicJwk).sort().join() === "e,kty,n", "a JWK of e, kty and n")
        assert(publicJwk["e"] === "AQAB" && publicJwk["n"]?.length === 342, "2048 bits and exponent 65537")
        const contentKey = reference.randomBytes(32)
        const wrapped = await (await reference.importWrapKey(publicJwk)).wrap(contentKey)
        assertEqual(await handle.unwrap(wrapped), contentKey, "the content key")
      },
    },
  ]
}

function lackingCases({ backend }: BackendPair, fixture: () => Promise<Fixture>): ContractCase[] {
  return [
    {
      name: "refuses every private RSA operation as unsupported",
      async run() {
        const { privateJwk } = await fixture()
        const code = "ERR_UNSUPPORTED"
        await assertCode(() => backend.importUnwrapKey(privateJwk, false), code, "a private RSA key")
        await assertCode(() => backend.generateRsa(2048, false), code, "generating an RSA key")
      },
    },
  ]
}

/** Cases of RSA keys. */
export function recipientKeyCases(pair: BackendPair): ContractCase[] {
  const fixture = once(() => generateFixture(pair))
  const rest = pair.lacks.has("privateRsa") ? lackingCases : unwrapCases
  return [...wrapCases(pair, fixture), ...rest(pair, fixture)]
}
