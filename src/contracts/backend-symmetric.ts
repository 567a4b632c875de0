/**
 * The part of the backend contract without key objects: random bytes, SHA-256, HMAC, AES-GCM.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { assert, assertEqual, assertRangeError, type ContractCase, fromHex, refusal } from "./assert.ts"
import type { BackendPair } from "./backend-pair.ts"

const EMPTY = new Uint8Array(0)

/** FIPS 180-4 examples: nothing, one block, two blocks. */
const SHA256_ANSWERS = [
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
] as const

/** RFC 4231 §4.2 to §4.5. HMAC fills short keys up with zeros, so the same answers hold for keys of 32 bytes. */
const HMAC_ANSWERS = [
  ["0b".repeat(20), "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
  [
    "4a656665",
    "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  ["aa".repeat(20), "dd".repeat(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
  [
    "0102030405060708090a0b0c0d0e0f10111213141516171819",
    "cd".repeat(50),
    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
  ],
] as const

const GCM_KEY = "feffe9928665731c6d6a8f9467308308".repeat(2)
const GCM_MESSAGE =
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

/** Test cases 13, 14 and 16 of the GCM specification (McGrew, Viega): key, iv, aad, plaintext, ciphertext, tag. */
const GCM_ANSWERS = [
  ["00".repeat(32), "00".repeat(12), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"],
  [
    "00".repeat(32),
    "00".repeat(12),
    "",
    "00".repeat(16),
    "cea7403d4d606b6e074ec5d3baf39d18",
    "d0d1c8a799996bf0265b98b5d48ab919",
  ],
  [
    GCM_KEY,
    "cafebabefacedbaddecaf888",
    "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    GCM_MESSAGE,
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
    "76fc6ece0f4e1768cddf8853bb2d551b",
  ],
] as const

/** Around every size at which an implementation may change its way. */
const LENGTHS = [0, 1, 15, 16, 17, 55, 56, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025, 65_537]
const LARGE = 2 ** 20 + 3

/** Bytes of no pattern that a cipher or hash could hide behind, in the middle of a larger buffer. */
function sample(length: number, start = 1): Bytes {
  const buffer = new Uint8Array(length + 3)
  for (let i = 0, value = start; i < buffer.length; i++) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) >>> 0
    buffer[i] = value >>> 16
  }
  return buffer.subarray(1, length + 1)
}

const KEY = sample(32, 2)
const IV = sample(12, 3)
const AAD = sample(45, 4)

function flipped(bytes: Bytes, index: number): Bytes {
  const copy = new Uint8Array(bytes)
  copy[index] = (copy[index] ?? 0) ^ 1
  return copy
}

function hashCases({ backend, reference }: BackendPair): ContractCase[] {
  return [
    {
      name: "gives as many random bytes as asked, other ones each time",
      async run() {
        for (const length of [1, 12, 32, 65_536]) {
          assert(backend.randomBytes(length).length === length, `${length} random bytes`)
        }
        const [first, second] = [backend.randomBytes(32), backend.randomBytes(32)]
        assert(
          first.some((byte, i) => byte !== second[i]),
          "two draws of random bytes to differ",
        )
        for (const length of [0, -1, 1.5, Number.NaN, 65_537]) {
          await assertRangeError(() => backend.randomBytes(length), `${length} random bytes`)
        }
      },
    },
    {
      name: "hashes to the known answers, and as the reference does",
      async run() {
        for (const [text, digest] of SHA256_ANSWERS) {
          assertEqual(
            await backend.sha256(new TextEncoder().encode(text)),
            fromHex(digest),
            `SHA-256 of ${text}`,
          )
        }
        for (const length of [...LENGTHS, LARGE]) {
          const data = sample(length)
          assertEqual(
            await backend.sha256(data),
            new Uint8Array(await reference.sha256(data)),
            `SHA-256 of ${length} bytes`,
          )
        }
      },
    },
    {
      name: "authenticates to the known answers, and as the reference does",
      async run() {
        for (const [key, data, mac] of HMAC_ANSWERS) {
          const padded = new Uint8Array(32)
          padded.set(fromHex(key))
          assertEqual(await backend.hmacSha256(padded, fromHex(data)), fromHex(mac), `HMAC of ${data}`)
        }
        for (const length of LENGTHS) {
          const data = sample(length)
          const expected = await reference.hmacSha256(KEY, data)
          assertEqual(await backend.hmacSha256(KEY, data), expected, `HMAC of ${length} bytes`)
        }
      },
    },
    {
      name: "gives hashes that later calls leave alone",
      async run() {
        const [digest, mac] = [await backend.sha256(AAD), await backend.hmacSha256(KEY, AAD)]
        const before = concat(digest, mac)
        await backend.sha256(KEY)
        await backend.hmacSha256(AAD.subarray(0, 32), KEY)
        assertEqual(concat(digest, mac), before, "earlier hashes")
      },
    },
    {
      name: "refuses HMAC keys of other than 32 bytes",
      async run() {
        for (const length of [0, 31, 33, 64]) {
          await assertRangeError(() => backend.hmacSha256(sample(length), AAD), `a key of ${length} bytes`)
        }
      },
    },
  ]
}

function sealCases({ backend, reference }: BackendPair): ContractCase[] {
  return [
    {
      name: "seals to the known answers and opens them",
      async run() {
        for (const row of GCM_ANSWERS) {
          const [key, iv, aad, plaintext, ciphertext, tag] = row.map(fromHex) as [
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
          ]
          const sealed = await backend.sealAesGcm(key, iv, aad, plaintext)
          assertEqual(sealed.ciphertext, ciphertext, "the ciphertext")
          assertEqual(sealed.tag, tag, "the tag")
          assertEqual(await backend.openAesGcm(key, iv, aad, { ciphertext, tag }), plaintext, "the plaintext")
        }
      },
    },
    {
      name: "opens what the reference seals, and the reverse, from nothing to a megabyte and three bytes",
      async run() {
        for (const length of [...LENGTHS, LARGE]) {
          const plaintext = sample(length)
          const [here, there] = [
            await backend.sealAesGcm(KEY, IV, AAD, plaintext),
            await reference.sealAesGcm(KEY, IV, AAD, plaintext),
          ]
          assertEqual(here.ciphertext, there.ciphertext, `the ciphertext of ${length} bytes`)
          assertEqual(here.tag, there.tag, `the tag of ${length} bytes`)
          const opened = await backend.openAesGcm(KEY, IV, AAD, there)
          assertEqual(opened, plaintext, `the plaintext of ${length} bytes`)
        }
      },
    },
    {
      name: "leaves its arguments as they were",
      async run() {
        const given = [KEY, IV, AAD, sample(77)] as const
        const before = given.map((bytes) => new Uint8Array(bytes))
        const { ciphertext, tag } = await backend.sealAesGcm(...given)
        const untouched = concat(ciphertext, tag)
        await backend.openAesGcm(KEY, IV, AAD, { ciphertext, tag })
        given.forEach((bytes, i) => assertEqual(bytes, before[i] ?? EMPTY, `argument ${i}`))
        assertEqual(concat(ciphertext, tag), untouched, "what was opened")
      },
    },
  ]
}

function openRefusalCases({ backend, reference }: BackendPair): ContractCase[] {
  return [
    {
      name: "opens nothing of which one byte was changed: ciphertext, tag, aad, iv or key",
      async run() {
        const { ciphertext, tag } = await reference.sealAesGcm(KEY, IV, AAD, sample(40))
        const parts = { key: KEY, iv: IV, aad: AAD, ciphertext, tag }
        const open = (p: typeof parts): unknown => backend.openAesGcm(p.key, p.iv, p.aad, p)
        await open(parts)
        for (const name of ["key", "iv", "aad", "ciphertext", "tag"] as const) {
          for (let i = 0; i < parts[name].length; i++) {
            await refusal(() => open({ ...parts, [name]: flipped(parts[name], i) }), `byte ${i} of ${name}`)
          }
        }
        for (let length = 0; length < ciphertext.length; length++) {
          const cut = ciphertext.subarray(0, length)
          await refusal(() => open({ ...parts, ciphertext: cut }), `a ciphertext cut to ${length} bytes`)
        }
      },
    },
    {
      name: "refuses keys, ivs and tags of other sizes",
      async run() {
        const plaintext = sample(40)
        const sealed = await reference.sealAesGcm(KEY, IV, AAD, plaintext)
        for (const length of [0, 16, 24, 31, 33]) {
          const [key, what] = [sample(length), `a key of ${length} bytes`]
          await assertRangeError(() => backend.sealAesGcm(key, IV, AAD, plaintext), what)
          await assertRangeError(() => backend.openAesGcm(key, IV, AAD, sealed), what)
        }
        for (const length of [0, 8, 11, 13, 16]) {
          const [iv, what] = [sample(length), `an iv of ${length} bytes`]
          await assertRangeError(() => backend.sealAesGcm(KEY, iv, AAD, plaintext), what)
          await assertRangeError(() => backend.openAesGcm(KEY, iv, AAD, sealed), what)
        }
        for (const length of [0, 4, 8, 12, 15, 17]) {
          const tag = concat(sealed.tag, sample(1)).subarray(0, length)
          const wrong = { ciphertext: sealed.ciphertext, tag }
          await assertRangeError(() => backend.openAesGcm(KEY, IV, AAD, wrong), `a tag of ${length} bytes`)
        }
      },
    },
  ]
}

function keptKeyCases({ backend, reference }: BackendPair): ContractCase[] {
  return [
    {
      name: "seals and opens with a kept AES key as with its bytes, also when those are gone",
      async run() {
        const bytes = new Uint8Array(KEY)
        const kept = await backend.importAesKey(bytes)
        bytes.fill(0)
        for (const length of [0, 1, 16_384]) {
          const plaintext = sample(length)
          const [here, there] = [
            await kept.seal(IV, AAD, plaintext),
            await reference.sealAesGcm(KEY, IV, AAD, plaintext),
          ]
          assertEqual(
            concat(here.ciphertext, here.tag),
            concat(there.ciphertext, there.tag),
            "what is sealed",
          )
          const joined = concat(there.ciphertext, there.tag)
          assertEqual(await kept.open(IV, AAD, joined), plaintext, `the plaintext of ${length} bytes`)
        }
      },
    },
    {
      name: "refuses other sizes and any change with a kept AES key",
      async run() {
        for (const length of [0, 16, 31, 33]) {
          await assertRangeError(() => backend.importAesKey(sample(length)), `a key of ${length} bytes`)
        }
        const kept = await backend.importAesKey(KEY)
        const { ciphertext, tag } = await kept.seal(IV, AAD, sample(40))
        const sealed = concat(ciphertext, tag)
        await assertRangeError(() => kept.seal(sample(16), AAD, sample(40)), "an iv of 16 bytes")
        await assertRangeError(() => kept.open(sample(16), AAD, sealed), "opening with an iv of 16 bytes")
        await refusal(() => kept.open(IV, AAD, sealed.subarray(0, 12)), "less than a tag")
        await refusal(() => kept.open(IV, AAD, sealed.subarray(0, -1)), "a tag of 15 bytes")
        await refusal(() => kept.open(IV, AAD, flipped(sealed, 3)), "a changed ciphertext")
        await refusal(() => kept.open(IV, AAD, flipped(sealed, 40)), "a changed tag")
        await refusal(() => kept.open(IV, flipped(AAD, 0), sealed), "another aad")
      },
    },
  ]
}

/** Cases of the primitives that take plain bytes. */
export function symmetricCases(pair: BackendPair): ContractCase[] {
  return [...hashCases(pair), ...sealCases(pair), ...openRefusalCases(pair), ...keptKeyCases(pair)]
}
