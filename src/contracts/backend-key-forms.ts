/**
 * The part of the backend contract about forms of keys other than a JWK: DER and the platform's `CryptoKey`.
 *
 * @module
 */

import type { CryptoKeyLike, KeyHandle, PrivateJwk, PublicJwk } from "../crypto/backend.ts"
import { assert, assertCode, assertEqual, type ContractCase, refusal } from "./assert.ts"
import { type BackendPair, once } from "./backend-pair.ts"

interface Key {
  readonly kind: "RSA" | "Ed25519" | "ES256"
  readonly publicJwk: PublicJwk
  readonly privateJwk: PrivateJwk
}

async function generateKeys({ reference }: BackendPair): Promise<Key[]> {
  const pairs = [
    ["RSA", await reference.generateRsa(2048, true)],
    ["Ed25519", await reference.generateSignature("Ed25519", true)],
    ["ES256", await reference.generateSignature("ES256", true)],
  ] as const
  const keys: Key[] = []
  for (const [kind, { publicJwk, handle }] of pairs) {
    const privateJwk = await handle.toJwk?.()
    if (privateJwk === undefined)
      throw new Error("the reference backend cannot export the key it was asked for")
    keys.push({ kind, publicJwk, privateJwk })
  }
  return keys
}

const importPrivate = async (
  { backend }: Pick<BackendPair, "backend">,
  kind: Key["kind"],
  source: PrivateJwk | CryptoKeyLike,
  extractable: boolean,
): Promise<KeyHandle> =>
  kind === "RSA"
    ? backend.importUnwrapKey(source, extractable)
    : backend.importSignKey(source, kind, extractable)

const importPublic = async ({ backend }: BackendPair, { kind, publicJwk }: Key): Promise<KeyHandle> =>
  kind === "RSA" ? backend.importWrapKey(publicJwk) : backend.importVerifyKey(publicJwk, kind)

/** The platform's own object of a handle, which a backend that has such objects must give. */
async function cryptoKeyOf(handle: KeyHandle): Promise<CryptoKeyLike> {
  if (handle.toCryptoKey === undefined) throw new Error("expected the key to have a toCryptoKey")
  return handle.toCryptoKey()
}

function derCases({ backend, reference }: BackendPair, keys: () => Promise<Key[]>): ContractCase[] {
  return [
    {
      name: "writes DER that the reference reads, and the reverse",
      async run() {
        for (const { kind, publicJwk, privateJwk } of await keys()) {
          for (const [format, jwk] of [
            ["spki", publicJwk],
            ["pkcs8", privateJwk],
          ] as const) {
            const written = new Uint8Array(await backend.encodeDer(format, jwk))
            const [here, there] = [
              await backend.decodeDer(format, await reference.encodeDer(format, jwk)),
              await reference.decodeDer(format, written),
            ]
            for (const [name, value] of Object.entries(jwk)) {
              assert(
                here[name] === value && there[name] === value,
                `${name} of the ${kind} ${format} to survive`,
              )
            }
            assertEqual(written, new Uint8Array(await backend.encodeDer(format, jwk)), "DER written twice")
          }
        }
      },
    },
    {
      name: "refuses DER that is no key, is cut short, or is the other part of a pair",
      async run() {
        for (const { kind, publicJwk, privateJwk } of await keys()) {
          const spki = await reference.encodeDer("spki", publicJwk)
          const pkcs8 = await reference.encodeDer("pkcs8", privateJwk)
          await refusal(() => backend.decodeDer("spki", pkcs8), `a private ${kind} key as spki`)
          await refusal(() => backend.decodeDer("pkcs8", spki), `a public ${kind} key as pkcs8`)
          await refusal(() => backend.decodeDer("spki", spki.subarray(0, -1)), `a short ${kind} spki`)
          await refusal(() => backend.decodeDer("pkcs8", pkcs8.subarray(0, -1)), `a short ${kind} pkcs8`)
        }
        await refusal(() => backend.decodeDer("spki", new Uint8Array(0)), "nothing as spki")
        await refusal(() => backend.decodeDer("pkcs8", new Uint8Array(48)), "zeros as pkcs8")
      },
    },
  ]
}

function cryptoKeyCases(pair: BackendPair, keys: () => Promise<Key[]>): ContractCase[] {
  const { backend } = pair
  return [
    {
      name: "gives each key as a CryptoKey with one use, as extractable as it was imported",
      async run() {
        for (const key of await keys()) {
          for (const extractable of [false, true]) {
            const handle = await importPrivate(pair, key.kind, key.privateJwk, extractable)
            const found = await cryptoKeyOf(handle)
            assert(found.type === "private", "a private CryptoKey")
            assert(found.extractable === extractable, `extractable to be ${String(extractable)}`)
            assert(found.usages.join() === (key.kind === "RSA" ? "decrypt" : "sign"), "one use")
          }
          const found = await cryptoKeyOf(await importPublic(pair, key))
          assert(found.type === "public" && found.extractable, "a public CryptoKey")
          assert(found.usages.join() === (key.kind === "RSA" ? "encrypt" : "verify"), "one use")
        }
      },
    },
    {
      name: "imports a CryptoKey, which stays as extractable as it is",
      async run() {
        for (const { kind, privateJwk } of await keys()) {
          for (const extractable of [false, true]) {
            const first = await importPrivate(pair, kind, privateJwk, extractable)
            // what is asked for here does not count: the platform's object has its own answer
            const handle = await importPrivate(pair, kind, await cryptoKeyOf(first), !extractable)
            const exported = await handle.toJwk?.()
            assert((exported !== undefined) === extractable, `${kind}: toJwk only when extractable`)
            if (exported) assert(exported.d === privateJwk.d, `${kind}: the same private key`)
          }
        }
      },
    },
    {
      name: "works with an imported CryptoKey as with a JWK",
      async run() {
        const [rsa, ...signing] = await keys()
        if (rsa === undefined) throw new Error("there is an RSA key")
        const unwrapping = await backend.importUnwrapKey(rsa.privateJwk, false)
        const imported = await backend.importUnwrapKey(await cryptoKeyOf(unwrapping), false)
        const contentKey = backend.randomBytes(32)
        const wrapped = await (await backend.importWrapKey(rsa.publicJwk)).wrap(contentKey)
        assertEqual(await imported.unwrap(wrapped), new Uint8Array(contentKey), "the content key")
        for (const { kind, privateJwk, publicJwk } of signing) {
          if (kind === "RSA") throw new Error("there is one RSA key")
          const first = await backend.importSignKey(privateJwk, kind, false)
          const signer = await backend.importSignKey(await cryptoKeyOf(first), kind, false)
          const verifier = await backend.importVerifyKey(publicJwk, kind)
          assert(await verifier.verify(await signer.sign(contentKey), contentKey), `${kind} to verify`)
        }
      },
    },
    {
      name: "reads a CryptoKey as a JWK only when it is extractable",
      async run() {
        for (const { kind, privateJwk } of await keys()) {
          const open = await cryptoKeyOf(await importPrivate(pair, kind, privateJwk, true))
          assert((await backend.decodeCryptoKey(open))["d"] === privateJwk.d, `${kind}: the private key`)
          const closed = await cryptoKeyOf(await importPrivate(pair, kind, privateJwk, false))
          await refusal(() => backend.decodeCryptoKey(closed), `a ${kind} key that is not extractable`)
        }
      },
    },
  ]
}

function lackingDer({ backend, reference }: BackendPair, keys: () => Promise<Key[]>): ContractCase {
  return {
    name: "refuses DER as unsupported",
    async run() {
      for (const { publicJwk } of await keys()) {
        const der = await reference.encodeDer("spki", publicJwk)
        await assertCode(() => backend.decodeDer("spki", der), "ERR_UNSUPPORTED", "reading DER")
        await assertCode(() => backend.encodeDer("spki", publicJwk), "ERR_UNSUPPORTED", "writing DER")
      }
    },
  }
}

function lackingCryptoKey(pair: BackendPair, keys: () => Promise<Key[]>): ContractCase {
  const { backend, reference } = pair
  return {
    name: "refuses a CryptoKey as unsupported, and makes none",
    async run() {
      for (const { kind, publicJwk, privateJwk } of await keys()) {
        const there = await cryptoKeyOf(await importPrivate({ backend: reference }, kind, privateJwk, true))
        await assertCode(() => backend.decodeCryptoKey(there), "ERR_UNSUPPORTED", "reading a CryptoKey")
        const attempt = (): unknown => importPrivate(pair, kind, there, true)
        await assertCode(attempt, "ERR_UNSUPPORTED", `importing a CryptoKey of ${kind}`)
        const handle = await importPublic(pair, { kind, publicJwk, privateJwk })
        assert(handle.toCryptoKey === undefined, "no toCryptoKey")
      }
    },
  }
}

/** Cases of DER and `CryptoKey`. */
export function keyFormCases(pair: BackendPair): ContractCase[] {
  const keys = once(() => generateKeys(pair))
  return [
    ...(pair.lacks.has("der") ? [lackingDer(pair, keys)] : derCases(pair, keys)),
    ...(pair.lacks.has("cryptoKey") ? [lackingCryptoKey(pair, keys)] : cryptoKeyCases(pair, keys)),
  ]
}
