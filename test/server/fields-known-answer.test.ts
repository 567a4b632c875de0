/** The known answer of docs/protocol.md §11.1: a request and its reply, whose bodies are documents with sealed fields. */

import { describe, expect, test } from "vitest"

import { concatPrefixed } from "../../src/base/bytes.ts"
import { encodeAscii } from "../../src/base/text.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { sealTo } from "../../src/envelope/seal.ts"
import { codecOf } from "../../src/fields/codec.ts"
import { createPolicy } from "../../src/fields.ts"
import { readReplyIn } from "../../src/envelope/reply.ts"
import { importPrivateKey, importPublicKey } from "../../src/index.ts"
import { createEndpoint } from "../../src/server.ts"
import { thumbprintOf } from "../support/forge.ts"
import { forgeFields } from "../support/forge-fields.ts"
import { guardOver } from "../support/reader.ts"
import { spyStore } from "../support/stores.ts"
import { hex, knownAnswers, publicJwk } from "../support/vectors.ts"

const { origin, iat, request, reply } = knownAnswers.fields_http
const { recipient } = knownAnswers
const policy = createPolicy({ rules: { "/card/number": "seal", "/items/1": "seal" } })
const codec = codecOf(policy, "policy")
const card = { brand: "visa", number: "4111111111111111" }
const withoutKey = (envelope: string): string[] => envelope.split(".").toSpliced(1, 1)
const contextOf = (outer: string, rest: string): Uint8Array<ArrayBuffer> =>
  concatPrefixed(new Uint8Array(0), [encodeAscii(outer), encodeAscii(rest)])
const requestContext = contextOf(`http\0${origin}`, request.clear_rest)

test("the second implementation makes the request", () => {
  const { clear_rest, m, seed, iv, cek } = request
  const parts = { seed: hex(seed), iv: hex(iv), contentKey: hex(cek), issuedAtSeconds: iat }
  const made = forgeFields(clear_rest, m, `http\0${origin}`, parts) as typeof request.body
  expect(withoutKey(made.$sealed)).toEqual(withoutKey(request.body.$sealed))
  expect({ ...made, $sealed: "" }).toEqual({ ...request.body, $sealed: "" })
})

describe.each([node, web, noble])("on the $name backend", (backend) => {
  test("the request is reproduced from its seed, content key and IV", async () => {
    const { body, m, seed, iv, cek } = request
    const to = await importPublicKey(publicJwk(recipient), { backend })
    const fresh = { seed: hex(seed), iv: hex(iv), contentKey: hex(cek), issuedAtSeconds: iat }
    const whole = JSON.stringify({ amount: 120, card, items: ["pen", "ink"] })
    const head = JSON.stringify((JSON.parse(m) as { "/$head": object })["/$head"])
    const parted = codec.part(encodeAscii(whole), head, encodeAscii(`http\0${origin}`))
    expect(new TextDecoder().decode(parted.message)).toBe(m)
    expect(parted.context).toEqual(requestContext)
    const { envelope } = await sealTo(parted.message, { to, context: parted.context }, fresh)
    expect(withoutKey(envelope)).toEqual(withoutKey(body.$sealed))
    expect(JSON.parse(parted.withEnvelope(body.$sealed))).toEqual(body)
  })

  test("the reply opens to its head and its document", async () => {
    const { $sealed: envelope } = request.body
    const end = { backend, envelope, seed: hex(request.seed), kid: thumbprintOf(recipient) }
    const arrived = codec.read(JSON.stringify(reply.body), encodeAscii(envelope))
    expect(arrived.context).toEqual(contextOf(envelope, reply.clear_rest))
    const { message } = await readReplyIn(end, arrived.envelope, arrived.context)
    expect(new TextDecoder().decode(message)).toBe(reply.m)
    const { head, body } = arrived.open(message)
    expect(JSON.parse(head)).toMatchObject({ status: 201 })
    expect(JSON.parse(new TextDecoder().decode(body))).toEqual({ card: { number: card.number }, id: 7 })
    // to another clear rest it does not belong
    const other = contextOf(envelope, '{"card":{},"id":8}')
    await expect(readReplyIn(end, arrived.envelope, other)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
  })
})

// noble has no private RSA operation
test.each([node, web])("an endpoint takes the request, on the $name backend", async (backend) => {
  const store = spyStore()
  const endpoint = createEndpoint({
    origin,
    keys: await importPrivateKey(recipient, { backend }),
    replay: guardOver(store, { clock: () => iat * 1000 }),
    routes: { "POST /cards": { level: "medium", fields: policy } },
    limits: false,
  })
  const sent = new Request(`${origin}/cards`, {
    method: "POST",
    body: JSON.stringify(request.body),
    headers: { "content-type": "application/sealwire-fields+json" },
  })
  let inner: Request | undefined
  const response = await endpoint.handle(sent, async (given) => {
    inner = given
    return Response.json({ id: 7 })
  })
  expect(response.status).toBe(200)
  expect(store.claims).toHaveLength(1)
  expect([inner?.method, inner?.url]).toEqual(["POST", `${origin}/cards?draft=1`])
  expect(inner?.headers.get("idempotency-key")).toBe("k-7")
  expect(await inner?.json()).toEqual({ amount: 120, card, items: ["pen", "ink"] })
})
