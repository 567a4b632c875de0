import { expect, test } from "vitest"

import { createClient } from "../../src/client.ts"
import { createPolicy, type FieldRoutes, sealedFields } from "../../src/fields.ts"
import { createWorld, ORIGIN, toAll, type World } from "../support/client-world.ts"
import { errorOf } from "../support/reader.ts"
import { serverKey } from "../support/sealed-http.ts"

const TYPE = "application/sealwire-fields+json"
const policy = createPolicy({
  rules: { "/card/number": { action: "seal", required: true }, "/cvc": "drop", "/phone": "mask" },
})
const order = { amount: 120, card: { number: "4111" }, cvc: "123", phone: "030 1" }
const post = (body: BodyInit): RequestInit => ({ method: "POST", body })

const worldWith = (fields: FieldRoutes = { "POST /orders/:id": policy }): Promise<World> =>
  createWorld({
    client: { fields: sealedFields(fields) },
    endpoint: { routes: { "/orders/**": { level: "medium", fields: policy }, "/**": "medium" } },
  })
const typesOf = ({ sent }: World): unknown[] => sent.map(({ headers }) => headers.get("content-type"))

test("sends a document of a route by its policy, and has the answer whole", async () => {
  const world = await worldWith()
  world.handler = async (request) => Response.json({ ...((await request.json()) as object), cvc: "9" })
  const response = await world.client.fetch("/orders/7?draft=1", post(JSON.stringify(order)))
  const kept = { amount: 120, card: { number: "4111" }, phone: "***" }
  expect(await response.json()).toEqual(kept)
  expect(response.url).toBe(`${ORIGIN}/orders/7?draft=1`)
  expect(await world.handled[0]?.json()).toEqual(kept)
  expect(typesOf(world)).toEqual([TYPE])
  const { $sealed, ...rest } = JSON.parse(world.sent[0]?.body ?? "") as Record<string, unknown>
  expect($sealed).toMatch(/^ey/)
  expect(rest).toEqual({ amount: 120, card: {}, phone: "***" })
})

test("seals as a whole what is for other routes, and what has no body", async () => {
  const world = await worldWith()
  await world.client.fetch("/transfers", post("{}"))
  await world.client.fetch("/orders/7/items", post(JSON.stringify({ card: { number: "1" } })))
  await world.client.fetch("/orders/7", { method: "PUT", body: JSON.stringify({ card: { number: "1" } }) })
  await world.client.fetch("/orders/7", { method: "POST" })
  expect(typesOf(world)).toEqual(["application/jose", "application/jose", "application/jose", null])
  expect(world.sent[3]?.headers.get("sealwire")).toMatch(/^ey/)
})

test.each([
  ["no JSON", "x"],
  ["no object", "[]"],
  ["a member twice", '{"a":1,"a":2,"card":{"number":"1"}}'],
  ["no field that is required", '{"card":{}}'],
  ["another shape", '{"card":"4111"}'],
  ["an envelope of its own", '{"card":{"number":"1"},"$sealed":"x"}'],
  ["a head of its own", '{"card":{"number":"1"},"$head":{}}'],
  ["bytes that are no text", new Uint8Array([0xff])],
])("does not send a document with %s, sealed or not", async (_, body) => {
  const world = await worldWith()
  const error = await errorOf(world.client.fetch("/orders/7", post(body)))
  expect(["TypeError", "RangeError"]).toContain((error as Error).name)
  expect(String(error)).not.toContain("4111")
  expect(world.sent).toEqual([])
})

test("seals each attempt anew, over the same document", async () => {
  const world = await createWorld({
    client: { fields: sealedFields({ "/orders/:id": policy }), retry: { attempts: 2 } },
    endpoint: { routes: { "/orders/*": { level: "medium", fields: policy } } },
  })
  let count = 0
  world.between = toAll(async (sent, _, pass) => {
    const answer = await pass(sent)
    if (++count === 1) throw new Error("lost")
    return answer
  })
  const response = await world.client.fetch("/orders/7", { method: "PUT", body: JSON.stringify(order) })
  expect(response.status).toBe(200)
  const [first, second] = world.sent.map(({ body }) => JSON.parse(body) as { $sealed: string })
  expect(first?.$sealed).not.toBe(second?.$sealed)
  expect({ ...first, $sealed: "" }).toEqual({ ...second, $sealed: "" })
  const [one, two] = world.handled.map(({ headers }) => headers.get("idempotency-key"))
  expect(one).toBe(two)
})

test("corrects its clock by the sealed refusal of a document", async () => {
  const world = await createWorld({
    client: { fields: sealedFields({ "/orders/:id": policy }), clock: () => Date.now() - 3_600_000 },
    endpoint: { routes: { "/orders/*": { level: "medium", fields: policy } } },
  })
  expect((await world.client.fetch("/orders/7", post(JSON.stringify(order)))).status).toBe(200)
  expect(world.events.map(({ type }) => type)).toContain("time-offset")
})

test("throws ERR_FIELDS where the server wants other fields sealed, and nothing ran", async () => {
  const world = await worldWith({ "/orders/:id": createPolicy({ rules: { "/amount": "seal" } }) })
  const error = await errorOf(world.client.fetch("/orders/7", post('{"amount":120,"card":{"number":"1"}}')))
  expect(error).toMatchObject({ code: "ERR_FIELDS", requestId: expect.any(String) as string })
  expect(world.handled).toEqual([])
  expect(world.sent).toHaveLength(1)
})

test("asked for a whole answer, refuses one whose fields alone are sealed", async () => {
  const world = await worldWith()
  world.between = toAll(async (sent, _, pass) => {
    const reply = await (await pass(sent)).text()
    return new Response(JSON.stringify({ amount: 120, $sealed: reply }), {
      headers: { "content-type": TYPE },
    })
  })
  const body = JSON.stringify({ card: { number: "1" } })
  const error = await errorOf(world.client.fetch("/orders/7", { method: "PATCH", body }))
  expect(error).toMatchObject({ code: "ERR_UNSEALED" })
})

test("holds a reply that is a document to maxResponseBytes", async () => {
  const world = await createWorld({
    client: { fields: sealedFields({ "/orders/:id": policy }), maxResponseBytes: 1000 },
    endpoint: { routes: { "/orders/*": { level: "medium", fields: policy } } },
  })
  world.handler = () => Response.json({ ...order, text: "x".repeat(2000) })
  const error = await errorOf(world.client.fetch("/orders/7", post(JSON.stringify(order))))
  expect(error).toMatchObject({ code: "ERR_TOO_LARGE" })
})

test("wants options.fields to be made by sealedFields, of routes and policies", async () => {
  const keys = (await serverKey()).publicKey
  const options = { baseUrl: ORIGIN, keys, fields: { "POST /orders": policy } as never }
  expect(() => createClient(options)).toThrow("options.fields must be a function")
  expect(() => sealedFields({})).toThrow("routes must name at least one route")
  expect(() => sealedFields({ orders: policy })).toThrow('"orders" is not a path')
  expect(() => sealedFields({ "/orders": {} as never })).toThrow('"/orders" must be a policy')
})
