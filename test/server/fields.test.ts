import { describe, expect, it, test } from "vitest"

import { backend } from "#backend"

import { canonicalJson } from "../../src/base/canonical-json.ts"
import { concatPrefixed } from "../../src/base/bytes.ts"
import { encodeAscii } from "../../src/base/text.ts"
import { readReplyIn } from "../../src/envelope/reply.ts"
import { createPolicy, type JsonObject, type Policy } from "../../src/fields.ts"
import { importPrivateKey } from "../../src/index.ts"
import {
  type Endpoint,
  type EndpointEvent,
  type EndpointOptions,
  type FieldPolicies,
  type Handler,
  memoryIdempotencyStore,
} from "../../src/server.ts"
import { NOW_SECONDS, SEED, thumbprintOf } from "../support/forge.ts"
import { forgeFields } from "../support/forge-fields.ts"
import { guardOver } from "../support/reader.ts"
import { endpointWith, exchange, ORIGIN } from "../support/sealed-http.ts"
import { spyStore } from "../support/stores.ts"
import { knownAnswers } from "../support/vectors.ts"

const TYPE = "application/sealwire-fields+json"
const CONTEXT = `http\0${ORIGIN}`
const rest = '{"amount":120,"card":{"brand":"visa"}}'
const head = { headers: [["content-type", "application/json"]], method: "POST", path: "/cards" }
const number = { "/card/number": "4111" }
const whole = { amount: 120, card: { brand: "visa", number: "4111" } }
const seals = createPolicy({ rules: { "/card/number": "seal" } })

const echo: Handler = async (request) => Response.json(await request.json())
const unreachable: Handler = () => {
  throw new Error("the handler ran")
}

async function serving(
  fields: Policy | FieldPolicies,
  options: Partial<EndpointOptions> = {},
): Promise<Endpoint> {
  return endpointWith({
    keys: await importPrivateKey(knownAnswers.recipient),
    replay: guardOver(spyStore(), { clock: () => NOW_SECONDS * 1000 }),
    routes: { "POST /cards": { level: "medium", fields } },
    ...options,
  })
}

/** A request made by the second implementation: `sealed` is M. */
function forged(sealed: object | string, clear = rest, seed: Uint8Array = SEED, outer = CONTEXT): Request {
  const message = typeof sealed === "string" ? sealed : canonicalJson(sealed)
  const document = forgeFields(clear, message, outer, { seed })
  return new Request(`${ORIGIN}/cards`, {
    method: "POST",
    body: JSON.stringify(document),
    headers: { "content-type": TYPE },
  })
}

interface Replied {
  readonly rest: JsonObject
  readonly sealed: JsonObject
}

/** Opens a reply by the parts of the protocol. */
async function readReply(request: Request, response: Response): Promise<Replied> {
  const { $sealed: envelope } = (await request.json()) as { $sealed: string }
  const { $sealed: reply, ...rest } = (await response.json()) as JsonObject
  const context = concatPrefixed(new Uint8Array(0), [encodeAscii(envelope), encodeAscii(canonicalJson(rest))])
  const end = { backend, envelope, seed: new Uint8Array(SEED), kid: thumbprintOf(knownAnswers.recipient) }
  const { message } = await readReplyIn(end, reply as string, context)
  return { rest, sealed: JSON.parse(new TextDecoder().decode(message)) as JsonObject }
}

test("takes a document that another implementation sealed, and replies in kind", async () => {
  const endpoint = await serving(seals)
  const request = forged({ ...number, "/$head": { ...head, path: "/cards?draft=1" } })
  const response = await endpoint.handle(request.clone(), async (inner, { level, sealed, kid }) => {
    expect({ level, sealed, kid }).toEqual({
      level: "medium",
      sealed: true,
      kid: thumbprintOf(knownAnswers.recipient),
    })
    expect(inner.url).toBe(`${ORIGIN}/cards?draft=1`)
    expect([...inner.headers]).toEqual([["content-type", "application/json"]])
    expect(await inner.json()).toEqual(whole)
    return Response.json(
      { id: 7, card: { number: "4111" } },
      { status: 201, headers: { "x-request-id": "r1" } },
    )
  })
  expect(response.status).toBe(201)
  expect(response.headers.get("content-type")).toBe(TYPE)
  expect(response.headers.has("x-request-id")).toBe(false)
  const { rest: clear, sealed } = await readReply(request, response)
  expect(clear).toEqual({ id: 7, card: {} })
  expect(sealed["/card/number"]).toBe("4111")
  expect(sealed["/$head"]).toMatchObject({ status: 201 })
  expect((sealed["/$head"] as JsonObject)["headers"]).toContainEqual(["content-type", "application/json"])
  expect(Object.keys(sealed)).toHaveLength(2)
})

describe("an authentic document is refused, sealed, and nothing of it counts", () => {
  const required = createPolicy({
    rules: { "/card/number": { action: "seal", required: true }, "/cvc": "drop" },
  })
  const refusals: [string, string, object | string, string?][] = [
    ["without a head", "fields", number],
    ["with its head in clear", "fields", { ...number, "/$head": head }, '{"$head":{},"amount":1,"card":{}}'],
    ["with part of a head", "fields", { ...number, "/$head": head, "/$head/x": 1 }],
    ["with a field too many", "fields", { ...number, "/$head": head, "/card/pin": "1" }],
    ["without a field that is required", "fields", { "/$head": head }],
    ["with a field in clear", "fields", { "/$head": head }, '{"card":{"number":"4111"}}'],
    ["with what was to be dropped", "fields", { ...number, "/$head": head }, '{"card":{},"cvc":"1"}'],
    ["with a field that has no place", "fields", { ...number, "/$head": head }, '{"card":"visa"}'],
    [
      "with a text that is not canonical",
      "fields",
      `{"/card/number":"4111", "/$head":${JSON.stringify(head)}}`,
    ],
    ["with a pattern for a pointer", "fields", { ...number, "/$head": head, "/*": 1 }],
    ["with another path", "mismatch", { ...number, "/$head": { ...head, path: "/other" } }],
    ["with another method", "mismatch", { ...number, "/$head": { ...head, method: "PUT" } }],
    ["with a head of more", "mismatch", { ...number, "/$head": { ...head, status: 200 } }],
    ["with a head of less", "mismatch", { ...number, "/$head": { method: "POST", path: "/cards" } }],
    [
      "with a header of the connection",
      "mismatch",
      { ...number, "/$head": { ...head, headers: [["host", "x"]] } },
    ],
    ["with the head of a response", "mismatch", { ...number, "/$head": { headers: [], status: 200 } }],
    ["with text as head", "mismatch", { ...number, "/$head": "POST /cards" }],
  ]
  it.each(refusals)("%s", async (_, problem, sealed, clear) => {
    const events: EndpointEvent[] = []
    const endpoint = await serving(required, { onEvent: (event) => events.push(event) })
    const response = await endpoint.handle(forged(sealed, clear), unreachable)
    expect(response.status).toBe(400)
    expect(response.headers.get("content-type")).toBe("application/jose")
    expect(events).toContainEqual(expect.objectContaining({ type: "problem", problem }))
    // the same seed, and so the same nonce: it was not claimed
    const good = await endpoint.handle(forged({ ...number, "/$head": head }), echo)
    expect(good.headers.get("content-type")).toBe(TYPE)
  })
})

describe("what is no document for this endpoint gets the uniform refusal", () => {
  const good = { ...number, "/$head": head }
  it.each<[string, Request]>([
    ["bound to the context of whole messages", forged(good, rest, SEED, "")],
    ["bound to another origin", forged(good, rest, SEED, "http\0https://other.example.com")],
    [
      "no JSON",
      new Request(`${ORIGIN}/cards`, { method: "POST", body: "{", headers: { "content-type": TYPE } }),
    ],
    [
      "open",
      new Request(`${ORIGIN}/cards`, { method: "POST", body: rest, headers: { "content-type": TYPE } }),
    ],
  ])("%s", async (_, request) => {
    const response = await (await serving(seals)).handle(request, unreachable)
    expect(response.status).toBe(400)
    expect(await response.text()).toBe('{"type":"about:blank","title":"Bad Request","status":400}')
  })

  it("and a document that is too long is not read to its end", async () => {
    const statusOf = async (length: number, options?: Partial<EndpointOptions>): Promise<number> => {
      const request = forged(good, JSON.stringify({ a: "x".repeat(length), card: {} }))
      return (await (await serving(seals, options)).handle(request, () => new Response())).status
    }
    expect(await statusOf(120_000)).toBe(200)
    expect(await statusOf(131_072)).toBe(413)
    expect(await statusOf(131_072, { maxDocumentBytes: 200_000 })).toBe(200)
    expect(await statusOf(1000, { maxDocumentBytes: 1000 })).toBe(413)
  })

  it("and one that is compressed is not inflated", async () => {
    const request = forged(good)
    request.headers.set("content-encoding", "gzip")
    expect((await (await serving(seals)).handle(request, unreachable)).status).toBe(415)
  })
})

describe("replies", () => {
  const reply = createPolicy({ rules: { "/card/number": "seal", "/cvc": "drop", "/phone": "mask" } })
  const ask = async (
    handler: Handler,
    fields: FieldPolicies = { request: seals, reply },
  ): Promise<Response> => (await serving(fields)).handle(forged({ ...number, "/$head": head }), handler)
  const typeOf = async (handler: Handler): Promise<string | null> =>
    (await ask(handler)).headers.get("content-type")

  it.each<[string, () => Response]>([
    ["an error", () => Response.json(whole, { status: 422 })],
    ["text", () => new Response(JSON.stringify(whole), { headers: { "content-type": "text/plain" } })],
    ["nothing", () => new Response("", { headers: { "content-type": "application/json" } })],
  ])("that are %s are sealed as a whole", async (_, answer) => {
    expect(await typeOf(answer)).toBe("application/jose")
  })

  it("of a media type on top of JSON have their fields sealed", async () => {
    const headers = { "content-type": "application/hal+json; charset=utf-8" }
    expect(await typeOf(() => new Response(JSON.stringify(whole), { headers }))).toBe(TYPE)
  })

  it("without a body have none outside", async () => {
    const response = await ask(() => new Response(null, { status: 204 }))
    expect(response.status).toBe(204)
    expect(response.headers.get("sealwire")).toMatch(/^ey/)
  })

  it.each<[string, () => Response]>([
    ["have another shape", () => Response.json({ card: "4111" })],
    ["are no object", () => Response.json(["4111"])],
    [
      "say a member twice",
      () => new Response('{"a":1,"a":2}', { headers: { "content-type": "application/json" } }),
    ],
    ["have a $sealed of their own", () => Response.json({ $sealed: "x" })],
    ["have a $head of their own", () => Response.json({ $head: "x" })],
  ])("that %s do not go out", async (_, answer) => {
    const events: EndpointEvent[] = []
    const endpoint = await serving({ request: seals, reply }, { onEvent: (event) => events.push(event) })
    const response = await endpoint.handle(forged({ ...number, "/$head": head }), answer)
    expect(response.status).toBe(500)
    expect(response.headers.get("content-type")).toBe("application/jose")
    expect(events).toContainEqual(expect.objectContaining({ type: "handler-failed" }))
  })

  it("keep their cookies and outer headers outside", async () => {
    const headers = { "set-cookie": "a=1", "retry-after": "5", "x-secret": "inside" }
    const response = await ask(() => Response.json(whole, { headers }))
    expect(response.headers.get("set-cookie")).toBe("a=1")
    expect(response.headers.get("retry-after")).toBe("5")
    expect(response.headers.has("x-secret")).toBe(false)
    expect(await response.text()).not.toContain("inside")
  })

  it("that do not end are cut off, and do not go out", async () => {
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1_048_576).fill(0x20)),
      cancel: () => void (isCancelled = true),
    })
    const response = await ask(() => new Response(body, { headers: { "content-type": "application/json" } }))
    expect(response.status).toBe(500)
    expect(isCancelled).toBe(true)
  })

  it("that are long are documents all the same, and held to the policy", async () => {
    const long = { cvc: "123", text: "x".repeat(300_000) }
    const response = await ask(() => Response.json(long))
    expect(response.headers.get("content-type")).toBe(TYPE)
    expect(Object.keys((await response.json()) as object)).toEqual(["text", "$sealed"])
  })
})

describe("a message that is sealed as a whole, on a route with fields", () => {
  const policy = createPolicy({
    rules: { "/card/number": { action: "seal", required: true }, "/cvc": "drop", "/phone": "mask" },
  })
  const routes = { "/cards": { level: "medium", fields: policy } } as const
  const draft = (body: string) => ({ path: "/cards", body })

  it("is taken, and answered as a whole", async () => {
    const endpoint = await endpointWith({ routes })
    const { outer, text } = await exchange(endpoint, draft(JSON.stringify(whole)), echo)
    expect(outer.headers.get("content-type")).toBe("application/jose")
    expect(JSON.parse(text)).toEqual(whole)
  })

  it("is held to what the policy says besides sealing, both ways", async () => {
    const endpoint = await endpointWith({ routes })
    for (const body of [
      '{"card":{}}',
      '{"card":{"number":"1"},"cvc":"2"}',
      '{"card":{"number":"1"},"phone":"12"}',
      "x",
    ]) {
      const { status, text } = await exchange(endpoint, draft(body), unreachable)
      expect([status, (JSON.parse(text) as JsonObject)["type"]]).toEqual([400, "urn:sealwire:fields"])
    }
    const spoken = { card: { number: "1" }, cvc: "123", phone: "030 1" }
    const { text } = await exchange(endpoint, { path: "/cards", method: "GET" }, () => Response.json(spoken))
    expect(JSON.parse(text)).toEqual({ card: { number: "1" }, phone: "***" })
  })

  it("may be of any kind where the policy seals, and asks for no more", async () => {
    const endpoint = await endpointWith({
      routes: { "/cards": { level: "medium", fields: { request: seals } } },
    })
    const { text } = await exchange(
      endpoint,
      draft("no JSON"),
      async (request) => new Response(await request.text()),
    )
    expect(text).toBe("no JSON")
  })
})

test("takes another clear rest under one idempotency key for another message", async () => {
  const endpoint = await serving(seals, {
    idempotency: { store: memoryIdempotencyStore({ clock: () => NOW_SECONDS * 1000 }) },
  })
  const sealed = { ...number, "/$head": { ...head, headers: [["idempotency-key", "k1"]] } }
  const statuses = []
  for (const [index, amount] of [120, 121, 120].entries()) {
    const clear = JSON.stringify({ amount, card: {} })
    const response = await endpoint.handle(forged(sealed, clear, Buffer.alloc(32, index)), echo)
    statuses.push([response.status, response.headers.get("content-type")])
  }
  // what was kept goes out sealed as a whole: the policy may have changed since
  expect(statuses).toEqual([
    [200, TYPE],
    [422, "application/jose"],
    [200, "application/jose"],
  ])
})

describe("the option fields of a route", () => {
  const withRoute = (route: object): Promise<Endpoint> =>
    endpointWith({ routes: { "/cards": route as never } })
  it.each<[string, object, RegExp]>([
    [
      "is for medium alone",
      { level: "high", fields: seals },
      /"\/cards" has fields, which is for the level medium/,
    ],
    ["is for medium alone", { level: "low", fields: seals }, /"\/cards" has fields/],
    [
      "is a policy",
      { level: "medium", fields: {} },
      /the fields of "\/cards" must be a policy made by createPolicy/,
    ],
    ["is a policy", { level: "medium", fields: "seal" }, /the fields of "\/cards" must be a policy/],
    [
      "is a policy each way",
      { level: "medium", fields: { request: seals, reply: {} } },
      /reply must be a policy/,
    ],
    ["has no other names", { level: "medium", fields: { request: seals, answer: seals } }, /"answer"|answer/],
  ])("%s", async (_, route, message) => {
    await expect(withRoute(route)).rejects.toThrow(message)
  })
})
