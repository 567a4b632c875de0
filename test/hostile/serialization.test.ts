import { beforeAll, describe, expect, test, vi } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { b64u, forge, type Parts } from "../support/forge.ts"
import { createReader, expectRefusal, openNow, type Reader } from "../support/reader.ts"

const NAMES = ["header", "encrypted key", "iv", "ciphertext", "tag"] as const
const SEGMENTS = NAMES.map((name, at) => ({ name, at }))

/** Runs of many rows in one test: each is a refusal of its own, and the first wrong one names itself. */
async function refuseAll(
  reader: Reader,
  stage: "P0" | "P1",
  rows: Iterable<readonly [name: string, envelope: string]>,
): Promise<void> {
  let count = 0
  for (const [name, envelope] of rows) {
    count++
    await expectRefusal(reader, stage, envelope).catch((error: unknown) => {
      throw new Error(`not refused as it should be: ${name}`, { cause: error })
    })
  }
  expect(count).toBeGreaterThan(0)
}

const replaceAt = (text: string, at: number, by: string, removed: number): string =>
  text.slice(0, at) + by + text.slice(at + removed)

/** Where each segment of an envelope starts and ends. */
function borders(envelope: string): { name: string; start: number; end: number }[] {
  let start = 0
  return envelope.split(".").map((segment, i) => {
    const border = { name: NAMES[i] ?? "", start, end: start + segment.length }
    start = border.end + 1
    return border
  })
}

/** Counts what is decoded while something runs. */
async function decodingsDuring(run: () => Promise<void>): Promise<number> {
  const from = vi.spyOn(Buffer, "from")
  try {
    await run()
    return from.mock.calls.filter((args: unknown[]) => args[1] === "base64url").length
  } finally {
    from.mockRestore()
  }
}

describe.each([node, web, noble])("serialization on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })
  const change = (segments: Parts["segments"]): string => forge({ segments })

  test("opens the envelope that all of these are made from", async () => {
    await expect(openNow(reader, forge())).resolves.toBeDefined()
  })

  test.each([
    ["a space", " "],
    ["a tab", "\t"],
    ["a carriage return", "\r"],
    ["a line feed", "\n"],
    ["a NUL", "\0"],
    ["a byte order mark", "\ufeff"],
    ["padding", "="],
    ["a no-break space", "\u00a0"],
    ["a line separator", "\u2028"],
    ["a zero-width joiner", "\u200d"],
    ["a Cyrillic a", "\u0430"],
    ["a lone surrogate", "\ud800"],
    ["an emoji", "\u{1f512}"],
    ["a character that is an A in its low byte", "\u0141"],
    ["a percent sign", "%"],
    ["a delete", "\x7f"],
  ])(
    "refuses %s at every border and inside every segment, added or in place of a character",
    async (_, foreign) => {
      const envelope = forge()
      const places = borders(envelope).flatMap(({ name, start, end }) => [
        { where: `before the ${name}`, at: start },
        { where: `inside the ${name}`, at: (start + end) >> 1 },
        { where: `after the ${name}`, at: end },
      ])
      const rows = places.flatMap(({ where, at }) =>
        [0, 1].map(
          (removed) => [`${where}, replacing ${removed}`, replaceAt(envelope, at, foreign, removed)] as const,
        ),
      )
      await refuseAll(reader, "P0", rows)
    },
  )

  test.each(SEGMENTS)("refuses + and / in place of - and _ in the $name", async ({ name, at }) => {
    const rows = ["-+", "_/"].map(([ours, theirs]) => {
      for (let i = 0; i < 200; i++) {
        const envelope = forge({ iv: Buffer.alloc(12, i), message: Buffer.alloc(100, i) })
        const segment = envelope.split(".")[at] ?? ""
        if (at === 0 || segment.includes(ours ?? "")) {
          // the header's base64url happens to hold neither
          const other =
            at === 0 ? (theirs ?? "") + segment.slice(1) : segment.replace(ours ?? "", theirs ?? "")
          return [`${theirs} in the ${name}`, envelope.split(".").with(at, other).join(".")] as const
        }
      }
      return expect.fail(`no ${ours} in any ${name}`)
    })
    await refuseAll(reader, "P0", rows)
  })

  test("refuses bits in the last character of a segment that no byte fills", async () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    const rows: [string, string][] = []
    for (const message of ["", "1", "12"]) {
      const segments = forge({ message }).split(".")
      segments.forEach((segment, at) => {
        const unused = { 0: 0, 2: 4, 3: 2 }[segment.length % 4] ?? 0
        const last = alphabet.indexOf(segment.at(-1) ?? "")
        for (let bits = 1; bits < 2 ** unused; bits++) {
          const changed = segment.slice(0, -1) + (alphabet[last | bits] ?? "")
          rows.push([`${NAMES[at]}, bits ${bits}`, segments.with(at, changed).join(".")])
        }
      })
    }
    // header 3; encrypted key and tag 15 each, for three messages; ciphertext 3 and 15
    expect(rows.length).toBeGreaterThanOrEqual(3 * 30 + 18)
    await refuseAll(reader, "P0", rows)
  })

  test.each(SEGMENTS)(
    "refuses an envelope whose $name is empty, missing or there twice",
    async ({ at, name }) => {
      await refuseAll(reader, "P0", [
        [`empty ${name}`, change((right) => right.with(at, ""))],
        [`no ${name}`, change((right) => right.toSpliced(at, 1))],
        [`${name} twice`, change((right) => right.toSpliced(at, 0, right[at] ?? ""))],
      ])
    },
  )

  test.each(SEGMENTS)(
    "refuses the $name when it is one character shorter or longer",
    async ({ at, name }) => {
      const shorter = change((right) => right.with(at, (right[at] ?? "").slice(0, -1)))
      const longer = change((right) => right.with(at, `${right[at] ?? ""}A`))
      // a ciphertext has no length of its own: one that stays canonical fails at its tag
      const rows = [
        [`shorter ${name}`, shorter],
        [`longer ${name}`, longer],
      ] as const
      if (at !== 3) return refuseAll(reader, "P0", rows)
      for (const [, envelope] of rows)
        await expect(openNow(reader, envelope)).rejects.toThrow("not an envelope")
    },
  )

  test("refuses segments in any other order", async () => {
    const orders = [0, 1, 2, 3, 4].flatMap((a) =>
      [0, 1, 2, 3, 4].filter((b) => b > a).map((b) => [a, b] as const),
    )
    const rows = orders.map(([a, b]) => [
      `${NAMES[a]} and ${NAMES[b]} exchanged`,
      change((right) => right.with(a, right[b] ?? "").with(b, right[a] ?? "")),
    ])
    await refuseAll(reader, "P0", rows as [string, string][])
  })

  test("refuses an envelope cut at any offset, from either end", async () => {
    const envelope = forge()
    const cut = Array.from(envelope, (_, at) => [
      [`the first ${at} characters`, envelope.slice(0, at)],
      [`all but the first ${at + 1} characters`, envelope.slice(at + 1)],
    ]).flat() as [string, string][]
    for (const [name, part] of cut) {
      const before = reader.unwraps
      await expect(openNow(reader, part), name).rejects.toThrow("not an envelope that this reader can open")
      expect(reader.unwraps, name).toBe(before)
    }
  })

  test("refuses bytes moved across the border of ciphertext and tag, both ways", async () => {
    const move = (bytes: number): string =>
      change(([header = "", encryptedKey = "", iv = "", ciphertext = "", tag = ""]) => {
        const sealed = Buffer.concat([ciphertext, tag].map((text) => Buffer.from(text, "base64url")))
        const border = sealed.length - 16 + bytes
        return [header, encryptedKey, iv, b64u(sealed.subarray(0, border)), b64u(sealed.subarray(border))]
      })
    expect(move(0)).toHaveLength(forge().length)
    await refuseAll(
      reader,
      "P0",
      [-16, -8, -3, -2, -1, 1, 2, 3, 4, 8, 12, 15, 16].map(
        (bytes) => [`${bytes} bytes`, move(bytes)] as const,
      ),
    )
  })

  test.each([0, 1, 8, 11, 13, 16, 32])(
    "refuses an IV of %i bytes that the tag was made with",
    async (length) => {
      // node:crypto makes none with an empty IV
      const iv = Buffer.alloc(Math.max(1, length), 7)
      const envelope = forge({ iv, segments: (right) => (length === 0 ? right.with(2, "") : right) })
      await expectRefusal(reader, "P0", envelope)
    },
  )

  test.each([0, 1, 4, 8, 12, 13, 14, 15, 17, 32])("refuses a tag of %i bytes", async (length) => {
    const envelope = change((right) => {
      const tag = Buffer.concat([Buffer.from(right[4] ?? "", "base64url"), Buffer.alloc(16)])
      return right.with(4, b64u(tag.subarray(0, length)))
    })
    await expectRefusal(reader, "P0", envelope)
  })

  test.each([0, 1, 32, 64, 65])("refuses a plaintext of %i bytes, before the private key", async (length) => {
    await expectRefusal(reader, "P0", forge({ plaintext: (right) => right.subarray(0, length) }))
  })

  test("refuses other forms of a JWE or JWS, and other spellings of this one", async () => {
    const [header = "", encryptedKey = "", iv = "", ciphertext = "", tag = ""] = forge().split(".")
    const envelope = [header, encryptedKey, iv, ciphertext, tag].join(".")
    const flattened = { protected: header, encrypted_key: encryptedKey, iv, ciphertext, tag }
    await refuseAll(reader, "P0", [
      ["nothing", ""],
      ["a dot", "."],
      ["four dots", "...."],
      ["a JWS", [header, ciphertext, tag].join(".")],
      ["a sixth segment", `${envelope}.`],
      ["a sixth segment with content", `${envelope}.${tag}`],
      ["a first empty segment", `.${envelope}`],
      ["an envelope twice", `${envelope}${envelope}`],
      ["two envelopes in lines", `${envelope}\n${envelope}`],
      ["flattened JSON", JSON.stringify(flattened)],
      ["general JSON", JSON.stringify({ ...flattened, recipients: [{ encrypted_key: encryptedKey }] })],
      ["a JSON string", JSON.stringify(envelope)],
      ["upper case", envelope.toUpperCase()],
      ["lower case", envelope.toLowerCase()],
      ["fullwidth dots", envelope.replaceAll(".", "\uff0e")],
      ["percent-encoded dots", envelope.replaceAll(".", "%2E")],
      ["commas", envelope.replaceAll(".", ",")],
      ["UTF-16 seen as bytes", Array.from(envelope).join("\0")],
      ["reversed", Array.from(envelope).reverse().join("")],
      ["base64 of the whole", b64u(envelope)],
      ["a data URL", `data:application/jose,${envelope}`],
      ["a bearer token", `Bearer ${envelope}`],
    ])
  })

  test.each([
    ["undefined", undefined],
    ["null", null],
    ["a number", 5],
    ["NaN", NaN],
    ["true", true],
    ["a bigint", 5n],
    ["a symbol", Symbol("envelope")],
    ["an array of the segments", forge().split(".")],
    ["an array of the envelope", [forge()]],
    ["a String object", Object(forge())],
    ["bytes", Buffer.from(forge())],
    ["an object that becomes the envelope", { toString: () => forge() }],
    ["an object with a length", { length: 5, indexOf: () => 0, slice: () => "" }],
    ["a function", () => forge()],
    ["a proxy", new Proxy({}, {})],
  ])("refuses %s instead of text", async (_, value) => {
    await expectRefusal(reader, "P0", value)
  })

  test("takes a million dots apart no further than it must", async () => {
    const dots = ".".repeat(1_000_000)
    const spies = (["indexOf", "split", "slice", "substring"] as const).map((name) =>
      vi.spyOn(String.prototype, name),
    )
    const steps: unknown[] = []
    await openNow(reader, dots).catch(() => {
      for (const { mock } of spies) {
        steps.push(
          ...mock.results
            .filter((_, call) => String(mock.contexts[call]) === dots)
            .map(({ value }) => value as unknown),
        )
      }
    })
    for (const spy of spies) spy.mockRestore()
    expect(steps.length).toBeLessThanOrEqual(6)
    for (const step of steps) expect(Array.isArray(step) ? step.length : 0).toBeLessThanOrEqual(6)
    await expectRefusal(reader, "P0", dots)
  })

  test.each([
    ["a header of 64 Ki characters", (right: string[]) => right.with(0, "A".repeat(65_536))],
    ["a header one character short", (right: string[]) => right.with(0, (right[0] ?? "").slice(1))],
    ["a header one character long", (right: string[]) => right.with(0, `${right[0] ?? ""}A`)],
    [
      "a header that takes all that the limit allows",
      (right: string[]) => right.with(0, "A".repeat(22_000_000)),
    ],
    ["an encrypted key of a million characters", (right: string[]) => right.with(1, "A".repeat(1_000_000))],
    ["an IV of a million characters", (right: string[]) => right.with(2, "A".repeat(1_000_000))],
    ["a tag of a million characters", (right: string[]) => right.with(4, "A".repeat(1_000_000))],
    ["a million dots", () => Array.from({ length: 1_000_001 }, () => "")],
    ["more characters than the largest message needs", () => ["A".repeat(16 * 1024 * 1024 * 1.34)]],
    ["a ciphertext above the limit", (right: string[]) => right.with(3, "A".repeat(22_400_000))],
  ])("refuses %s without decoding anything", async (_, segments) => {
    const envelope = change(segments)
    const decoded = await decodingsDuring(async () => {
      await expect(openNow(reader, envelope)).rejects.toThrow("not an envelope that this reader can open")
    })
    expect(decoded).toBe(0)
    const counted = await decodingsDuring(async () => {
      await openNow(reader, forge())
    })
    expect(counted).toBeGreaterThan(4)
  })
})
