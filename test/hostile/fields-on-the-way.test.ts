import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"

import { type Client, createClient } from "../../src/client.ts"
import { createPolicy, type FieldRoutes, type JsonObject, sealedFields } from "../../src/fields.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import { createEndpoint, type Endpoint, type Handler, type Routes } from "../../src/server.ts"
import { createSessions } from "../../src/session.ts"
import { freshGuard, serverKey } from "../support/sealed-http.ts"
import { endlessPool } from "../support/session-world.ts"
import {
  type Listening,
  type Proxy,
  serve,
  startProxy,
  type Tamper,
  type WireRequest,
  type WireResponse,
} from "../support/wire.ts"

const TYPE = "application/sealwire-fields+json"
const NUMBER = "4111111111111111"
const SECRETS = [NUMBER, "call after six", "key_of_zoe", "draft=1", "booked-by-7"]

const cards = createPolicy({
  rules: {
    "/card/number": { action: "seal", required: true },
    "/items/*/note": "seal",
    "/codes/*": "seal",
  },
})
const receipts = createPolicy({ rules: { "/card/number": "seal", "/items/*/note": "seal" } })
const policies = { request: cards, reply: receipts }
const order = {
  amount: 120,
  card: { number: NUMBER, brand: "visa" },
  items: [{ sku: "a", note: "call after six" }, { sku: "b" }],
  codes: ["one", "two"],
}

const { signingKey: identity } = await generateSigningKeyPair()
let server: Listening
let proxy: Proxy
let endpoint: Endpoint
let handler: Handler
let ran: { path: string; document: unknown }[]

const ROUTES: Routes = {
  "POST /orders": { level: "medium", fields: policies },
  "/orders/:id": { level: "medium", fields: policies },
  "/whole": "medium",
  "/high": "high",
  "/low": "low",
}

async function endpointFor(routes: Routes = ROUTES, wrap?: "once" | "each"): Promise<Endpoint> {
  const sessions = wrap && createSessions({ identity, keyPool: await endlessPool(), wrap })
  return createEndpoint({
    origin: proxy.origin,
    keys: await serverKey(),
    directory: { identity },
    replay: freshGuard(),
    limits: false,
    routes,
    ...(sessions && { sessions }),
  })
}

beforeAll(async () => {
  proxy = await startProxy(() => server.origin)
  server = await serve((request) =>
    endpoint.handle(request, async (inner, details) => {
      const text = await inner.clone().text()
      ran.push({ path: new URL(inner.url).pathname, document: text === "" ? undefined : JSON.parse(text) })
      return handler(inner, details)
    }),
  )
})

afterAll(async () => {
  await Promise.all([proxy.close(), server.close()])
})

beforeEach(async () => {
  endpoint = await endpointFor()
  handler = async (request) =>
    Response.json(await request.json(), { status: 201, headers: { "x-booked": "booked-by-7" } })
  ran = []
  proxy.seen.length = 0
  proxy.tamper = (request, forward) => forward(request)
})

const clientFor = (
  routes: FieldRoutes = { "POST /orders": policies, "/orders/:id": policies },
  session = false,
): Client =>
  createClient({
    baseUrl: proxy.origin,
    pins: [identity.kid],
    fields: sealedFields(routes),
    session,
    timeoutMs: 5000,
  })

const send = (client: Client, path = "/orders?draft=1", document: object = order): Promise<Response> =>
  client.fetch(path, {
    method: "POST",
    body: JSON.stringify(document),
    headers: { "content-type": "application/json", authorization: "Bearer key_of_zoe" },
  })

const isMessage = ({ path }: WireRequest): boolean => !path.startsWith("/.well-known/")
const onMessages = (tamper: Tamper): void => {
  proxy.tamper = (request, forward) => (isMessage(request) ? tamper(request, forward) : forward(request))
}

type Wire = WireRequest | WireResponse
const documentOf = ({ body }: Wire): JsonObject => JSON.parse(body.toString()) as JsonObject
const envelopeIn = ({ $sealed }: JsonObject): string => $sealed as string

function withBody<Message extends Wire>(message: Message, body: string, type = TYPE): Message {
  const bytes = Buffer.from(body)
  const headers = { ...message.headers, "content-type": type, "content-length": String(bytes.length) }
  return { ...message, headers, body: bytes }
}

type Change = (document: JsonObject) => unknown
const changed = <Message extends Wire>(message: Message, change: Change): Message => {
  const document = documentOf(message)
  const result = change(document) ?? document
  return withBody(message, typeof result === "string" ? result : JSON.stringify(result))
}

/** What somebody on the way can do to a document, that leaves it one. */
const CHANGES: [string, Change][] = [
  ["edits what is in clear", (it) => void (it["amount"] = 1)],
  ["edits it deeper", (it) => void ((it["card"] as JsonObject)["brand"] = "amex")],
  ["adds a member", (it) => void (it["admin"] = true)],
  ["drops a member", (it) => ({ ...it, amount: undefined })],
  ["moves a member", (it) => ({ ...it, card: {}, brand: "visa" })],
  ["swaps two elements", (it) => ({ ...it, items: [...(it["items"] as JsonObject[])].reverse() })],
  ["drops an element", (it) => ({ ...it, items: (it["items"] as JsonObject[]).slice(0, 1) })],
  ["sends a sealed field in clear", (it) => ({ ...it, card: { brand: "visa", number: "5500000000000004" } })],
  ["adds a head", (it) => ({ ...it, $head: { headers: [], method: "POST", path: "/orders" } })],
  ["says a member twice", (it) => JSON.stringify(it).replace("{", '{"amount":120,')],
  [
    "writes a number that a double changes",
    (it) => JSON.stringify(it).replace("120", "120.00000000000000001"),
  ],
  ["drops the envelope", (it) => ({ ...it, $sealed: undefined })],
  ["adds an envelope", (it) => ({ ...it, $sealed: [it["$sealed"]] })],
  ["cuts the envelope", (it) => ({ ...it, $sealed: envelopeIn(it).slice(0, -1) })],
  ["makes the rest empty", (it) => ({ $sealed: it["$sealed"] })],
  ["makes it a list", (it) => [it]],
]

describe("a document whose fields are sealed, on its way", () => {
  it("shows the clear rest, and neither a field, the query, a header nor the status line's reason", async () => {
    let back = ""
    onMessages(async (request, forward) => {
      const answer = await forward(request)
      back = answer.body.toString()
      expect(answer.headers["content-type"]).toBe(TYPE)
      expect(answer.headers["cache-control"]).toBe("no-store")
      return answer
    })
    const response = await send(clientFor())
    expect(response.status).toBe(201)
    expect(response.headers.get("x-booked")).toBe("booked-by-7")
    expect(response.headers.get("content-type")).toBe("application/json")
    expect(await response.json()).toEqual(order)
    expect(ran).toEqual([{ path: "/orders", document: order }])
    const [sent] = proxy.seen.filter(isMessage)
    expect(sent).toMatchObject({ path: "/orders", headers: { "content-type": TYPE } })
    for (const text of [sent?.body.toString() ?? "", back]) {
      const { $sealed, ...rest } = JSON.parse(text) as JsonObject
      expect($sealed).toMatch(/^ey[\w-]+\.[\w-]*(\.[\w-]+){3}$/)
      expect(rest).toMatchObject({
        amount: 120,
        card: { brand: "visa" },
        items: [{ sku: "a" }, { sku: "b" }],
      })
      for (const secret of SECRETS) expect(text).not.toContain(secret)
    }
  })

  it("may be laid out anew: that changes nothing of what it says", async () => {
    onMessages(async (request, forward) => {
      const { $sealed, amount, ...rest } = documentOf(request)
      return forward(
        withBody(request, JSON.stringify({ $sealed, ...rest, amount }, null, 2).replace("120", "12e1")),
      )
    })
    expect((await send(clientFor())).status).toBe(201)
    expect(ran).toEqual([{ path: "/orders", document: order }])
  })

  it.each(CHANGES)("is refused when somebody %s", async (_, change) => {
    onMessages(async (request, forward) => {
      const answer = await forward(changed(request, change))
      expect(answer.status).toBe(400)
      expect(answer.headers["content-type"]).toBe("application/problem+json")
      return answer
    })
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    expect(ran).toEqual([])
  })

  it("gets one refusal for all of that, byte for byte", async () => {
    const refusals = new Set<string>()
    for (const [, change] of CHANGES) {
      onMessages(async (request, forward) => {
        const { status, body } = await forward(changed(request, change))
        refusals.add(`${status} ${body.toString()}`)
        return undefined
      })
      await send(clientFor()).catch(() => undefined)
    }
    expect([...refusals]).toHaveLength(1)
  })

  it("does not open with the envelope of another, nor that with it", async () => {
    const kept: WireRequest[] = []
    onMessages(async (request) => void kept.push(request))
    for (const amount of [1, 2]) {
      await send(clientFor(), "/orders", { ...order, amount }).catch(() => undefined)
    }
    const [one, two] = kept as [WireRequest, WireRequest]
    onMessages((_, forward) =>
      forward(changed(one, (it) => ({ ...it, $sealed: envelopeIn(documentOf(two)) }))),
    )
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    onMessages((_, forward) => forward(withBody(one, envelopeIn(documentOf(one)), "application/jose")))
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    expect(ran).toEqual([])
  })

  it("cannot be made of an envelope that was sealed as a whole", async () => {
    onMessages((request, forward) =>
      forward(withBody(request, JSON.stringify({ ...order, $sealed: request.body.toString() }))),
    )
    await expect(send(clientFor({ "/other": cards }))).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    expect(ran).toEqual([])
  })

  it.each<[string, Partial<WireRequest>]>([
    ["path, to a route with the same policy", { path: "/orders/7" }],
    ["method", { method: "PUT", path: "/orders/7" }],
    ["query", { path: "/orders?draft=0" }],
  ])("is refused, sealed, under another %s", async (_, change) => {
    onMessages((request, forward) => forward({ ...request, ...change }))
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_MISMATCH" })
    expect(ran).toEqual([])
  })

  it.each(["/whole", "/high", "/low"])("is not taken by %s, which has no fields", async (path) => {
    onMessages(async (request, forward) => {
      const answer = await forward({ ...request, path })
      expect(answer.status).toBe(415)
      return answer
    })
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    expect(ran).toEqual([])
  })

  it.each(["application/json", "text/plain"])("is not taken as %s", async (type) => {
    onMessages((request, forward) => forward(withBody(request, request.body.toString(), type)))
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED", outerStatus: 415 })
    expect(ran).toEqual([])
  })

  it("counts once, however often it is sent", async () => {
    onMessages(async (request, forward) => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => forward(request)))
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(19)
      return answers.find(({ status }) => status === 201)
    })
    expect((await send(clientFor())).status).toBe(201)
    expect(ran).toHaveLength(1)
  })

  it("sent twice, and the second answer shown: the outcome is unknown", async () => {
    onMessages(async (request, forward) => {
      await forward(request)
      return forward(request)
    })
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_REPLAYED" })
    expect(ran).toHaveLength(1)
  })
})

describe("a reply whose fields are sealed, on its way", () => {
  it.each(CHANGES)("is refused when somebody %s", async (_, change) => {
    onMessages(async (request, forward) => changed(await forward(request), change))
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    expect(ran).toHaveLength(1)
  })

  it("is not another request's, nor the request itself, nor its envelope alone", async () => {
    const replies: WireResponse[] = []
    onMessages(async (request, forward) => {
      replies.push(await forward(request))
      return replies[0]
    })
    await send(clientFor())
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    onMessages(async (request, forward) => ({ ...(await forward(request)), body: request.body }))
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    onMessages(async (request, forward) => {
      const answer = await forward(request)
      return withBody(answer, envelopeIn(documentOf(answer)), "application/jose")
    })
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
  })

  it("says its status and headers itself, whatever stands outside", async () => {
    onMessages(async (request, forward) => {
      const answer = await forward(request)
      return { ...answer, status: 200, headers: { ...answer.headers, "x-booked": "by somebody" } }
    })
    const response = await send(clientFor())
    expect(response.status).toBe(201)
    expect(response.headers.get("x-booked")).toBe("booked-by-7")
  })

  it("is refused where the server seals less than the client asks for", async () => {
    const reply = createPolicy({ rules: { "/card/number": "seal" } })
    endpoint = await endpointFor({ "POST /orders": { level: "medium", fields: { request: cards, reply } } })
    await expect(send(clientFor())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    expect((await send(clientFor({ "POST /orders": { request: cards, reply } }))).status).toBe(201)
  })

  it("is refused by a client that asks for replies sealed as a whole", async () => {
    await expect(send(clientFor({ "POST /orders": { request: cards } }))).rejects.toMatchObject({
      code: "ERR_UNSEALED",
    })
  })

  it("may be sealed as a whole, which is more than was asked for", async () => {
    endpoint = await endpointFor({ "POST /orders": { level: "medium", fields: { request: cards } } })
    const types: unknown[] = []
    onMessages(async (request, forward) => {
      const answer = await forward(request)
      types.push(answer.headers["content-type"])
      return answer
    })
    expect(await (await send(clientFor())).json()).toEqual(order)
    expect(types).toEqual(["application/jose"])
  })
})

describe.each(["once", "each"] as const)("in a session of mode %s", (wrap) => {
  it("documents and replies go as outside of one, and a change is refused", async () => {
    endpoint = await endpointFor(ROUTES, wrap)
    const client = clientFor(undefined, true)
    const response = await send(client)
    expect(await response.json()).toEqual(order)
    const [sent] = proxy.seen.filter(isMessage)
    expect(sent?.headers["content-type"]).toBe(TYPE)
    const header = Buffer.from(envelopeIn(documentOf(sent as WireRequest)).split(".")[0] ?? "", "base64url")
    expect(header.toString()).toContain(wrap === "once" ? '"typ":"sw1-session"' : '"typ":"sw1"')
    onMessages((request, forward) => forward(changed(request, (it) => void (it["amount"] = 1))))
    await expect(send(client)).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    onMessages((_, forward) => forward(sent as WireRequest))
    await expect(send(client)).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    expect(ran).toHaveLength(1)
  })
})
