import { describe, expect, it, vi } from "vitest"

import { backend } from "#backend"

import { encodeAscii } from "../../src/base/text.ts"
import { contextOf } from "../../src/envelope/context.ts"
import type { EnvelopeEnd } from "../../src/envelope/exporter.ts"
import { replyReader } from "../../src/envelope/reply.ts"
import { parseResponse, type ResponseMessage, serializeRequest } from "../../src/http/message.ts"
import { httpContext } from "../../src/http/wire.ts"
import { materialOf } from "../../src/keys/key.ts"
import { generateSigningKeyPair, type SigningKey } from "../../src/keys.ts"
import type { Endpoint, EndpointEvent, EndpointOptions, Handler } from "../../src/server.ts"
import { sayHello } from "../../src/session/handshake.ts"
import { type ClientEnd, sealInSession, type SessionUse } from "../../src/session/message.ts"
import { createKeyPool, createSessions, type SessionsOptions } from "../../src/session.ts"
import { endlessPool, serverIdentity } from "../support/session-world.ts"
import { endpointWith, exchange, ORIGIN } from "../support/sealed-http.ts"

const PATH = "/.well-known/sealwire/sessions"
const unreachable: Handler = () => {
  throw new Error("the handler ran")
}

const post = (path: string, body: string, type = "application/jose"): Request =>
  new Request(ORIGIN + path, { method: "POST", body, headers: { "content-type": type } })

async function serving(
  options: Partial<SessionsOptions> = {},
  more: Partial<EndpointOptions> = {},
): Promise<Endpoint> {
  const identity = await serverIdentity()
  const keyPool = options.keyPool ?? (await endlessPool())
  return endpointWith({ sessions: createSessions({ identity, ...options, keyPool }), ...more })
}

async function ask(endpoint: Endpoint, request: Request): Promise<string> {
  const response = await endpoint.handle(request, unreachable)
  if (response.status !== 200) throw new Error(String(response.status))
  expect(response.headers.get("content-type")).toBe("application/jose")
  expect(response.headers.get("cache-control")).toBe("no-store")
  return response.text()
}

/** The handshake by the parts of the protocol, with nothing of the client in it. */
async function openAt(endpoint: Endpoint, signWith?: SigningKey): Promise<ClientEnd> {
  const hello = sayHello(backend, { pins: [(await serverIdentity()).kid], origin: ORIGIN }, signWith)
  const { offer, seal } = await hello.readOffer(await ask(endpoint, post(PATH, hello.text)), seconds())
  const opening = await seal(seconds())
  const reply = await ask(endpoint, post(`${PATH}/${offer.sessionId}`, opening.envelope))
  const secret = await opening.confirm(await opening.readReply(reply))
  return { backend, sessionId: offer.sessionId, wrap: offer.wrap, key: offer.key, secret }
}
const seconds = (): number => Math.floor(Date.now() / 1000)

interface Draft {
  readonly method?: string
  readonly path?: string
  readonly body?: string
  readonly signWith?: SigningKey
  readonly use?: SessionUse
}

async function sealIn(end: ClientEnd, draft: Draft = {}): Promise<{ sealed: EnvelopeEnd; request: Request }> {
  const { method = "POST", path = "/transfers", body = "{}", signWith, use } = draft
  const message = serializeRequest({ headers: [], method, path, body: encodeAscii(body) })
  const context = contextOf(encodeAscii(httpContext(ORIGIN)))
  const sealed = await sealInSession(end, { message, context, signWith, ...(use && { use }) })
  const { envelope } = sealed
  const request =
    body === ""
      ? new Request(ORIGIN + path, { method, headers: { sealwire: envelope } })
      : new Request(ORIGIN + path, {
          method,
          body: envelope,
          headers: { "content-type": "application/jose" },
        })
  return { sealed, request }
}

async function answerTo(sealed: EnvelopeEnd, response: Response): Promise<ResponseMessage> {
  const reply = response.headers.get("sealwire") ?? (await response.text())
  const { message } = await (await replyReader(sealed))(reply)
  const answer = parseResponse(message)
  if (!answer) throw new Error("the reply is no response")
  return answer
}

const textOf = ({ body }: ResponseMessage): string => new TextDecoder().decode(body)

describe.each(["once", "each"] as const)("an endpoint with sessions of mode %s", (wrap) => {
  it("opens one, and hands on what is sealed in it with the session's id", async () => {
    const endpoint = await serving({ wrap })
    const end = await openAt(endpoint)
    const { sealed, request } = await sealIn(end, { body: "hello" })
    const response = await endpoint.handle(request, async (inner, { session, signer }) =>
      Response.json({ got: await inner.text(), session, signer: signer ?? "nobody" }),
    )
    expect(JSON.parse(textOf(await answerTo(sealed, response)))).toEqual({
      got: "hello",
      session: end.sessionId,
      signer: "nobody",
    })
  })

  it("knows the opener in every message, and takes no other's signature", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const other = await generateSigningKeyPair()
    const knownSigners = [verifyingKey, other.verifyingKey]
    const endpoint = await serving({ wrap }, { knownSigners })
    const end = await openAt(endpoint, signingKey)
    for (const signWith of [undefined, signingKey]) {
      const { sealed, request } = await sealIn(end, signWith ? { signWith } : {})
      const response = await endpoint.handle(request, (_, { signer }) => new Response(signer))
      expect(textOf(await answerTo(sealed, response))).toBe(signingKey.kid)
    }
    const { request } = await sealIn(end, { signWith: other.signingKey })
    expect((await endpoint.handle(request, unreachable)).status).toBe(400)
    const nobodys = await openAt(endpoint)
    const signed = await sealIn(nobodys, { signWith: signingKey })
    expect((await endpoint.handle(signed.request, unreachable)).status).toBe(400)
  })

  it("ends one by a sealed DELETE in it, and then knows it no more", async () => {
    const events: EndpointEvent[] = []
    const endpoint = await serving({ wrap }, { onEvent: (event) => events.push(event) })
    const [end, other] = [await openAt(endpoint), await openAt(endpoint)]
    const path = (id: string): string => `${PATH}/${id}`
    const wrong = await sealIn(end, { method: "DELETE", path: path(other.sessionId), body: "" })
    expect((await endpoint.handle(wrong.request, unreachable)).status).toBe(403)
    const right = await sealIn(end, { method: "DELETE", path: path(end.sessionId), body: "" })
    const response = await endpoint.handle(right.request, unreachable)
    expect((await answerTo(right.sealed, response)).status).toBe(204)
    const late = await endpoint.handle((await sealIn(end)).request, unreachable)
    expect(late.status).toBe(401)
    expect(await late.json()).toEqual({ type: "urn:sealwire:no-session", title: "Unauthorized", status: 401 })
    expect((await endpoint.handle((await sealIn(other)).request, () => new Response("x"))).status).toBe(200)
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["session-opened", "session-ended", "refused"]),
    )
  })

  it("refuses a message for another path, a copy, and junk under its name, and goes on", async () => {
    const endpoint = await serving({ wrap })
    const end = await openAt(endpoint)
    const { sealed, request } = await sealIn(end)
    const moved = new Request(`${ORIGIN}/elsewhere`, request.clone())
    expect((await endpoint.handle(moved, unreachable)).status).toBe(400)
    let ran = 0
    const count = (): Response => new Response(String(++ran))
    expect((await endpoint.handle(request.clone(), count)).status).toBe(200)
    expect((await endpoint.handle(request, count)).status).toBe(409)
    const junk = sealed.envelope.slice(0, -25) + "A".repeat(25)
    const refused = await endpoint.handle(post("/transfers", junk), unreachable)
    expect([refused.status, ran]).toEqual([400, 1])
    expect((await endpoint.handle((await sealIn(end)).request, count)).status).toBe(200)
  })

  it("still takes messages outside of sessions", async () => {
    const endpoint = await serving({ wrap })
    const answer = await exchange(endpoint, {}, (_, { session }) => new Response(session ?? "none"))
    expect(answer.text).toBe("none")
  })
})

describe("an endpoint with sessions", () => {
  it("of mode each takes no message without a wrapped key", async () => {
    const endpoint = await serving({ wrap: "each" })
    const end = await openAt(endpoint)
    const { request } = await sealIn({ ...end, wrap: "once" })
    expect((await endpoint.handle(request, unreachable)).status).toBe(400)
  })

  it("takes no channel's opening for a message", async () => {
    const endpoint = await serving()
    const { request } = await sealIn(await openAt(endpoint), { use: "channel" })
    expect((await endpoint.handle(request, unreachable)).status).toBe(400)
  })

  it("refuses a stranger in mode each before the private key is used", async () => {
    const pool = await endlessPool()
    const pair = pool.take()
    const unwrap = vi.spyOn(materialOf(pair.privateKey, "private", "key").handle, "unwrap")
    const endpoint = await serving({ wrap: "each", keyPool: { ...pool, take: () => pair } })
    const end = await openAt(endpoint)
    expect(unwrap).toHaveBeenCalledTimes(1)
    const stranger = { ...end, secret: { expand: () => new Uint8Array(32) } }
    const { request } = await sealIn(stranger)
    expect((await endpoint.handle(request, unreachable)).status).toBe(400)
    expect(unwrap).toHaveBeenCalledTimes(1)
    expect((await endpoint.handle((await sealIn(end)).request, () => new Response("x"))).status).toBe(200)
    expect(unwrap).toHaveBeenCalledTimes(2)
    unwrap.mockRestore()
  })

  it("gives no offer while the pool is empty: 503, and when to come again", async () => {
    const keyPool = createKeyPool({
      size: 1,
      backend: { ...backend, generateRsa: () => new Promise<never>(() => undefined) },
    })
    const endpoint = await serving({ keyPool })
    const refused = await endpoint.handle(post(PATH, `{"cn":"${"A".repeat(43)}"}`), unreachable)
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"])
    keyPool.close()
  })

  it("asks the limiter of handshakes before it gives or opens anything", async () => {
    const pool = await endlessPool()
    const admitHandshake = (request: Request): boolean => request.headers.get("x-source") === "good"
    const endpoint = await serving({ keyPool: pool }, { admitHandshake })
    const hello = `{"cn":"${"A".repeat(43)}"}`
    const refused = await endpoint.handle(post(PATH, hello), unreachable)
    expect([refused.status, refused.headers.get("retry-after"), pool.taken()]).toEqual([429, "10", 0])
    expect((await endpoint.handle(post(`${PATH}/${"A".repeat(22)}`, "x"), unreachable)).status).toBe(429)
    const good = new Request(ORIGIN + PATH, { method: "POST", body: hello, headers: { "x-source": "good" } })
    expect((await endpoint.handle(good, unreachable)).status).toBe(200)
  })

  it("counts hellos by their source before they take a pair", async () => {
    const pool = await endlessPool()
    const endpoint = await serving({ keyPool: pool }, { limits: { bySource: { sessions: 2 } } })
    const sayHelloFrom = async (address: string): Promise<number> => {
      const hello = post(PATH, `{"cn":"${"A".repeat(43)}"}`)
      return (await endpoint.handle(hello, unreachable, { address, encrypted: true })).status
    }
    for (const status of [200, 200, 429, 429]) expect(await sayHelloFrom("203.0.113.9")).toBe(status)
    expect(pool.taken()).toBe(2)
    expect(await sayHelloFrom("198.51.100.7")).toBe(200)
  })

  it.each<[string, () => Request, number]>([
    ["a hello that is none", () => post(PATH, "{}"), 400],
    ["a hello of a megabyte", () => post(PATH, "x".repeat(1_000_000)), 413],
    ["a GET of offers", () => new Request(ORIGIN + PATH), 405],
    [
      "a PUT of a session",
      () => new Request(`${ORIGIN}${PATH}/${"A".repeat(22)}`, { method: "PUT", body: "x" }),
      405,
    ],
    ["an opening of what was never offered", () => post(`${PATH}/${"A".repeat(22)}`, "...."), 401],
    ["an opening of an id that is none", () => post(`${PATH}/x`, "...."), 401],
    [
      "a DELETE that is not sealed",
      () => new Request(`${ORIGIN}${PATH}/${"A".repeat(22)}`, { method: "DELETE" }),
      400,
    ],
  ])("refuses %s", async (_, request, status) => {
    expect((await (await serving()).handle(request(), unreachable)).status).toBe(status)
  })

  it("ignores what a client wants its session to be called", async () => {
    const endpoint = await serving()
    const hello = sayHello(backend, { pins: [(await serverIdentity()).kid], origin: ORIGIN })
    const wanted = "A".repeat(22)
    const request = new Request(`${ORIGIN}${PATH}?sid=${wanted}`, {
      method: "POST",
      body: hello.text,
      headers: { cookie: `sid=${wanted}`, "x-session": wanted },
    })
    const { offer } = await hello.readOffer(await ask(endpoint, request), seconds())
    expect(offer.sessionId).not.toBe(wanted)
  })

  it("answers an opening with the time, sealed, where the client's clock is wrong, and the offer still opens", async () => {
    const endpoint = await serving()
    const hello = sayHello(backend, { pins: [(await serverIdentity()).kid], origin: ORIGIN })
    const { offer, seal } = await hello.readOffer(await ask(endpoint, post(PATH, hello.text)), seconds())
    const old = await seal(seconds() - 600)
    const path = `${PATH}/${offer.sessionId}`
    const refused = await endpoint.handle(post(path, old.envelope), unreachable)
    const { message } = await old.readReply(await refused.text())
    expect(textOf(parseResponse(message) as ResponseMessage)).toContain("urn:sealwire:stale")
    await expect(old.confirm({ message } as never)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    const opening = await seal(seconds())
    await opening.confirm(await opening.readReply(await ask(endpoint, post(path, opening.envelope))))
  })
})

it("an endpoint takes sessions only from createSessions", async () => {
  await expect(endpointWith({ sessions: {} as never })).rejects.toThrow(/sessions must be/)
  await expect(serving({}, { admitHandshake: 1 as never })).rejects.toThrow(/admitHandshake must be/)
})
