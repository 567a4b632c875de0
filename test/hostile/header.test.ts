import net from "node:net"

import { beforeAll, describe, expect, test, vi } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { createKeyRing } from "../../src/keys/ring.ts"
import {
  b64u,
  contextHashOf,
  forge,
  forgeReply,
  type Members,
  nonceOf,
  SEED,
  thumbprintOf,
} from "../support/forge.ts"
import { createReader, expectRefusal, openNow, type Reader } from "../support/reader.ts"
import { knownAnswers } from "../support/vectors.ts"

type Row = readonly [name: string, header: (right: string, members: Members) => string | Uint8Array]

const kid = thumbprintOf(knownAnswers.recipient)
const jti = b64u(nonceOf(SEED))

/** A row that replaces text which must be there. */
const replacing = (name: string, search: string | RegExp, by: string): Row => [
  name,
  (right) => {
    const changed = right.replace(search, by)
    if (changed === right) throw new Error(`nothing to replace: ${name}`)
    return changed
  },
]

const adding = (member: string, value: unknown): Row =>
  replacing(`a member "${member}"`, /\}$/, `,"${member}":${JSON.stringify(value)}}`)

const SHAPES: readonly Row[] = [
  ["an empty header", () => ""],
  ["null", () => "null"],
  ["an array", () => "[]"],
  ["a number", () => "1"],
  ["a string", () => '"sw1"'],
  ["an empty object", () => "{}"],
  ["an array around it", (right) => `[${right}]`],
  ["a string around it", (right) => JSON.stringify(right)],
  ["two headers", (right) => right + right],
  ["a header in base64url again", (right) => b64u(right)],
  ["a byte order mark", (right) => `\ufeff${right}`],
  ["a NUL at its end", (right) => `${right}\0`],
  ["a line feed at its end", (right) => `${right}\n`],
  ["a space at its start", (right) => ` ${right}`],
  ["UTF-16, low byte first", (right) => Buffer.from(right, "utf16le")],
  ["UTF-16, high byte first", (right) => Buffer.from(right, "utf16le").swap16()],
  ["an overlong UTF-8 quote", (right) => bytesInPlace(right, '"typ"', [0xc0, 0xa2])],
  ["a lone surrogate in UTF-8", (right) => bytesInPlace(right, "sw1", [0xed, 0xa0, 0x80])],
  ["a byte that no UTF-8 has", (right) => bytesInPlace(right, "A256GCM", [0xff])],
  ["all its bits above ASCII", (right) => Buffer.from(right).map((byte) => byte | 0x80)],
  ["single quotes", (right) => right.replaceAll('"', "'")],
  ["a comment", (right) => right.replace(",", "/**/,")],
  ["a trailing comma", (right) => right.replace(/\}$/, ",}")],
  ["no end", (right) => right.slice(0, -1)],
  ["a second object hidden behind its end", (right) => `${right}{}`],
]

/** Bytes in place of the first of a text. */
function bytesInPlace(right: string, text: string, bytes: number[]): Buffer {
  const at = right.indexOf(text)
  return Buffer.concat([
    Buffer.from(right.slice(0, at)),
    Buffer.from(bytes),
    Buffer.from(right.slice(at + bytes.length)),
  ])
}

const ORDER: readonly Row[] = [
  [
    "members in reverse",
    (_, members) => JSON.stringify(Object.fromEntries(Object.entries(members).reverse())),
  ],
  ["typ first, as jose writes it", (_, { typ, ...rest }) => JSON.stringify({ typ, ...rest })],
  ["kid before jti", (_, { jti, kid, typ, ...rest }) => JSON.stringify({ ...rest, kid, jti, typ })],
  ["spaces after commas", (right) => right.replaceAll(",", ", ")],
  ["a space after a colon", (right) => right.replace(":", ": ")],
  ["lines", (_, members) => JSON.stringify(members, null, 2)],
  ["a space before its end", (right) => right.replace(/\}$/, " }")],
  replacing("an escaped slash where none is", '"sw1"', '"\\/w1"'),
  replacing("an escape in a value", '"sw1"', '"sw\\u0031"'),
  replacing("an escape in a name", '"typ"', '"t\\u0079p"'),
]

const DUPLICATES: readonly Row[] = (["alg", "ctx", "enc", "iat", "jti", "kid", "typ"] as const).flatMap(
  (member) => {
    const bad = member === "iat" ? 1 : "none"
    const pair = (value: unknown): string => `"${member}":${JSON.stringify(value)}`
    return [
      [
        `${member} twice, the good one first`,
        (right, members) => right.replace(pair(members[member]), `${pair(members[member])},${pair(bad)}`),
      ],
      [
        `${member} twice, the good one last`,
        (right, members) => right.replace(pair(members[member]), `${pair(bad)},${pair(members[member])}`),
      ],
      [
        `${member} twice, both good`,
        (right, members) =>
          right.replace(pair(members[member]), `${pair(members[member])},${pair(members[member])}`),
      ],
      [
        `${member} twice, one with an escape`,
        (right, members) =>
          right.replace(
            pair(members[member]),
            `${pair(members[member])},"\\u00${member.charCodeAt(0).toString(16)}${member.slice(1)}":1`,
          ),
      ],
      [`no ${member}`, (right) => right.replace(new RegExp(`"${member}":("[^"]*"|\\d+),?`), "")],
      [`${member} null`, (right, members) => right.replace(pair(members[member]), `"${member}":null`)],
      [`${member} in upper case`, (right) => right.replace(`"${member}"`, `"${member.toUpperCase()}"`)],
    ] as Row[]
  },
)

const ADDED: readonly Row[] = [
  adding("x", 1),
  adding("", ""),
  adding("jku", "http://127.0.0.1:9/keys"),
  adding("x5u", "http://127.0.0.1:9/cert"),
  adding("jwk", knownAnswers.recipient_3072),
  adding("x5c", ["MIIB"]),
  adding("x5t", "AA"),
  adding("apu", "QQ"),
  adding("apv", "QQ"),
  adding("epk", { kty: "EC", crv: "P-256" }),
  adding("zip", "DEF"),
  adding("cty", "JWT"),
  adding("crit", ["exp"]),
  adding("b64", false),
  adding("p2c", 100_000_000),
  adding("p2s", "AAAA"),
  adding("iv", "AAAA"),
  adding("tag", "AAAA"),
  adding("exp", 4_000_000_000),
  adding("nbf", 0),
  adding("__proto__", { alg: "none" }),
  adding("constructor", { prototype: {} }),
]

const VALUES: readonly Row[] = [
  ...["A128GCM", "A192GCM", "A256CBC-HS512", "A512GCM", "a256gcm", "none", ""].map((enc) =>
    replacing(`enc "${enc}"`, "A256GCM", enc),
  ),
  ...[
    "RSA-OAEP",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "RSA1_5",
    "dir",
    "A256KW",
    "PBES2-HS256+A128KW",
    "none",
    "HS256",
  ].map((alg) => replacing(`alg "${alg}"`, "RSA-OAEP-256", alg)),
  ...[
    "sw2",
    "sw",
    "sw1 ",
    "SW1",
    "JWT",
    "sw1-open",
    "sw1-session",
    "sw1-reply",
    "sw1-channel",
    "sw1-stream",
  ].map((typ) => replacing(`typ "${typ}"`, '"sw1"', JSON.stringify(typ))),
  ...[
    ["a string", '"1790000000"'],
    ["nine digits", "790000000"],
    ["eleven digits", "17900000000"],
    ["a leading zero", "0179000000"],
    ["a sign", "+179000000"],
    ["a negative number", "-1790000000"],
    ["a fraction", "1790000000.0"],
    ["an exponent", "17900000e2"],
    ["hexadecimal", "0x6AB14E80"],
    ["Arabic digits", "١٧٩٠٠٠٠٠٠٠"],
    ["fullwidth digits", "１７９０００００００"],
    ["milliseconds", "1790000000000"],
    ["an array", "[1790000000]"],
    ["true", "true"],
    ["not a number", "NaN"],
  ].map(([name, iat]) => replacing(`iat as ${name}`, "1790000000", iat ?? "")),
  ...[
    ["of 21 characters", jti.slice(1)],
    ["of 23 characters", `${jti}A`],
    ["of 24 characters, padded", `${jti}==`],
    ["with unused bits set", `${jti.slice(0, -1)}${jti.endsWith("A") ? "B" : "_"}`],
    ["with a +", `+${jti.slice(1)}`],
    ["of a million characters", "A".repeat(1_000_000)],
    ["that is empty", ""],
    ["with a NUL", `\\u0000${jti.slice(6)}`],
  ].map(([name, value]) => replacing(`a nonce ${name}`, jti, value ?? "")),
  ...[
    ["that nobody has", "A".repeat(43)],
    ["of 42 characters", kid.slice(1)],
    ["of 44 characters", `${kid}A`],
    ["with unused bits set", `${kid.slice(0, -1)}_`],
    ["of a million characters", "A".repeat(1_000_000)],
    ["that is empty", ""],
    ["that is a path", "../../../../../../../../etc/passwd%00AAAAAAA"],
    ["that is SQL", "' OR '1'='1'; DROP TABLE claims; -- AAAAAAA"],
    ["with a newline", `\\n${kid.slice(2)}`],
    ["with a raw newline", `\n${kid.slice(1)}`],
    ["with a terminal escape", `\u001b[2J${kid.slice(4)}`],
    ["in another case", kid.toLowerCase()],
    ["that names a prototype", "__proto__".padEnd(43, "A")],
  ].map(([name, value]) => replacing(`a kid ${name}`, kid, value ?? "")),
  replacing("a kid that is a number", `"${kid}"`, "1".repeat(45)),
  replacing("a kid that is an array", `"${kid}"`, `["${kid}"]`),
  replacing("a ctx of 42 characters", /"ctx":"./, '"ctx":"'),
  replacing("a ctx of 44 characters", /"ctx":"/, '"ctx":"A'),
  replacing("a ctx with unused bits set", /.","enc"/, '_","enc"'),
  replacing("a ctx of another context", /"ctx":"[^"]*"/, `"ctx":"${"A".repeat(43)}"`),
]

const GROUPS = { shape: SHAPES, order: ORDER, duplicates: DUPLICATES, added: ADDED, values: VALUES }

describe.each([node, web, noble])("headers on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })

  test.each(
    Object.entries(GROUPS).flatMap(([group, rows]) =>
      rows.map(([name, header]) => ({ group, name, header })),
    ),
  )("refuses by $group, with all else made to fit: $name", async ({ header }) => {
    await expectRefusal(reader, "P0", forge({ header }))
  })

  test("connects to nowhere for a header that names an address", async () => {
    const connect = vi.spyOn(net.Socket.prototype, "connect")
    const fetch = vi.spyOn(globalThis, "fetch")
    for (const [, header] of ADDED) await openNow(reader, forge({ header })).catch(() => undefined)
    expect(connect).not.toHaveBeenCalled()
    expect(fetch).not.toHaveBeenCalled()
    for (const spy of [connect, fetch]) spy.mockRestore()
  })

  test("refuses a nonce that is canonical but not the seed's, after the private key", async () => {
    for (const other of ["A".repeat(22), b64u(nonceOf(Buffer.alloc(32)))]) {
      await expectRefusal(reader, "P1", forge({ members: { jti: other } }))
    }
  })

  test("refuses a reply that is posted as a request", async () => {
    const request = forge()
    await expectRefusal(reader, "P0", forgeReply(request, SEED))
    await expectRefusal(reader, "P0", forgeReply(request, SEED), { context: request })
  })

  test.each(["sw1-open", "sw1-stream"])(
    "refuses a right envelope of type %s that is posted as a message",
    async (typ) => {
      await expectRefusal(reader, "P0", forge({ members: { typ } }))
    },
  )

  test("refuses a right envelope of a session that is posted as a message", async () => {
    const members = { alg: "dir", kid: jti, typ: "sw1-session" }
    await expectRefusal(reader, "P0", forge({ members, encryptedKey: () => Buffer.alloc(0) }))
  })

  test("refuses a kid that the ring does not have, never had, or has destroyed", async () => {
    const other = await createReader(backend, knownAnswers.recipient_3072)
    const ring = createKeyRing([other.key])
    await expectRefusal(reader, "P0", forge(), { with: createKeyRing() })
    await expectRefusal(reader, "P0", forge(), { with: ring })
    ring.add(reader.key)
    await expect(openNow(reader, forge(), { with: ring })).resolves.toBeDefined()
    ring.retire(reader.key.kid)
    ring.destroy(reader.key.kid)
    await expectRefusal(reader, "P0", forge(), { with: ring })
    expect(other.unwraps).toBe(0)
  })

  test("tries no other key of a ring", async () => {
    const other = await createReader(backend, knownAnswers.recipient_3072)
    const ring = createKeyRing([reader.key, other.key])
    const envelope = forge({ recipient: knownAnswers.recipient_3072, members: { kid } })
    await expectRefusal(reader, "P0", envelope, { with: ring })
    expect(other.unwraps).toBe(0)
  })

  test.each([
    ["another context", { context: "transfer" }],
    ["a longer context", { context: "transfers\0" }],
    ["no context", {}],
    ["the hash of the context", { context: contextHashOf("transfers") }],
    ["a context in another case", { context: "Transfers" }],
    ["a context with a combining mark", { context: "transfers\u0301" }],
  ])("refuses an envelope for another context, before the private key: %s", async (_, options) => {
    await expectRefusal(reader, "P0", forge({ context: "transfers" }), options)
  })

  test.each([-86_402, -86_401, 86_401, 86_402, 8_209_999_999, -790_000_000])(
    "refuses an envelope that is %i s away, before the private key",
    async (seconds) => {
      await expectRefusal(reader, "P0", forge({ issuedAtSeconds: 1_790_000_000 + seconds }))
    },
  )
})
