import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { readOperation } from "../../src/client/request.ts"
import { isInnerHeader, parseRequest } from "../../src/http/message.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

const BASE = new URL("https://api.example.com/v1/")
const terms = { baseUrl: BASE, generateId: () => "generated", budgetMs: 1000, part: () => undefined }

type Members = Record<string, unknown>
type Input = string | URL | Request
type Read = (input: Input, init: RequestInit | undefined) => Promise<unknown>

/** What the platform's `fetch` would send. */
const byPlatform: Read = async (input, init) => {
  const request = new Request(typeof input === "string" ? new URL(input, BASE) : input, init)
  const { method, headers } = request
  if (!/^[A-Z]+$/.test(method)) throw new TypeError(`init.method must be upper case, not "${method}"`)
  const pairs = [...headers].filter(([name]) => isInnerHeader(name))
  pairs.push(["x-request-id", "generated"])
  if (!["GET", "HEAD", "OPTIONS"].includes(method)) pairs.push(["idempotency-key", "generated"])
  return { method, headers: pairs, body: new Uint8Array(await request.arrayBuffer()) }
}

const byClient: Read = async (input, init) => {
  const { message } = await readOperation(input, init, terms)
  const { method, headers, body } = parseRequest(message) ?? {}
  return { method, headers, body: new Uint8Array(body ?? []) }
}

const outcome = (read: Read, input: Input, init: RequestInit | undefined): Promise<unknown> =>
  read(input, init).catch((error: unknown) => String(error))

const oneOf = (...values: readonly unknown[]): fc.Arbitrary<unknown> => fc.constantFrom(...values)

const methods = oneOf(
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "GET",
  "HEAD",
  "post",
  "Put",
  "patch",
  "PURGE",
  "P T",
  "TRACE",
  5,
)
const headers = fc.oneof(
  oneOf(
    { "content-type": "application/json" },
    { "Content-Type": "text/html", "x-a": " b ", host: "elsewhere" },
    [
      ["content-type", "a/b"],
      ["x-a", "1"],
      ["X-A", "2"],
    ],
    new Headers({ "content-type": "a/b", "set-cookie": "a=b" }),
    { "content-type": "" },
    { "x-a": "b" },
    { "no name": "x" },
    { "x-a": "two\nlines" },
    { "x-a": "\u{20ac}" },
    [["alone"]],
    null,
    "text",
  ),
  fc.dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 })),
)
const bodies = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  oneOf(
    "",
    "\ud800 alone",
    "{}",
    null,
    5,
    new Uint8Array([0, 255]),
    new URLSearchParams("a=b"),
    new String("x"),
  ),
  oneOf(new Blob(["b"], { type: "text/css" })),
)
const others = fc.record(
  {
    signal: oneOf(undefined, null, new AbortController().signal, "none"),
    mode: oneOf("cors", "no-cors", "navigate", "wrong"),
    redirect: oneOf("error", "wrong"),
    keepalive: oneOf(true),
    duplex: oneOf("half"),
    unknown: oneOf(1),
  },
  { requiredKeys: [] },
)

/** Ways to have a member, besides as a plain one. */
const WAYS: Readonly<Record<string, (init: object, parent: object, name: string, value: unknown) => void>> = {
  getter: (init, _, name, value) =>
    Object.defineProperty(init, name, { get: () => value, enumerable: true, configurable: true }),
  hidden: (init, _, name, value) => Object.defineProperty(init, name, { value }),
  inherited: (_, parent, name, value) => Object.defineProperty(parent, name, { get: () => value }),
}

function shaped(members: Members, ways: readonly string[]): RequestInit {
  const parent = {}
  const init: Members = Object.create(parent) as Members
  for (const [i, [name, value]] of Object.entries(members).entries()) {
    const way = WAYS[ways[i] ?? ""]
    if (way) way(init, parent, name, value)
    else init[name] = value
  }
  return init
}

describe("the arguments of fetch", () => {
  const members = fc.record({ method: methods, headers, body: bodies }, { requiredKeys: [] })
  const inputs = fc.constantFrom<() => Input>(
    () => "transfers",
    () => "/a?b#c",
    () => BASE,
    () => "https://user:name@api.example.com/",
    () => new Request(BASE, { method: "PUT", body: "its own", headers: { "x-own": "1" } }),
  )

  test(
    "are read as the platform reads them, also where no Request is made of a text",
    { timeout: TIMEOUT_MS },
    async () => {
      await fc.assert(
        fc.asyncProperty(inputs, members, others, async (input, first, second) => {
          const init = { ...first, ...second } as RequestInit
          expect(await outcome(byClient, input(), init)).toEqual(await outcome(byPlatform, input(), init))
        }),
        runs(1000),
      )
    },
  )

  test(
    "are read so, too, where members are getters, hidden or inherited",
    { timeout: TIMEOUT_MS },
    async () => {
      const ways = fc.array(fc.constantFrom("plain", "getter", "hidden", "inherited"), {
        minLength: 3,
        maxLength: 3,
      })
      await fc.assert(
        fc.asyncProperty(members, ways, async (given, way) => {
          const init = shaped(given, way)
          // of two faults, either may be named
          const [ours, theirs] = [await outcome(byClient, "/a", init), await outcome(byPlatform, "/a", init)]
          if (typeof theirs === "string") expect(ours).toMatch(/^TypeError: /)
          else expect(ours).toEqual(theirs)
        }),
        runs(1000),
      )
    },
  )

  test("may be missing", async () => {
    for (const init of [undefined, null, {}] as undefined[]) {
      expect(await outcome(byClient, "/a", init)).toEqual(await outcome(byPlatform, "/a", init))
    }
  })
})
