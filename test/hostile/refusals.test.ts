import { Buffer } from "node:buffer"
import { request as send } from "node:http"
import { gzipSync } from "node:zlib"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { serializeRequest } from "../../src/http/message.ts"
import { createReplayGuard, importPrivateKey, type ReplayStore } from "../../src/index.ts"
import { createEndpoint, type EndpointEvent } from "../../src/server.ts"
import { contextHashOf, encryptRsa, forge, forgeReply, type Parts, SEED } from "../support/forge.ts"
import { knownAnswers } from "../support/vectors.ts"
import { type Listening, serve } from "../support/wire.ts"

const ORIGIN = "https://api.example.com"
const context = `http\0${ORIGIN}`

let server: Listening
let ran = 0
let claims = 0
const events: EndpointEvent[] = []

/** Counts, and keeps nothing: every id is new. */
const store: ReplayStore = {
  claim: () => {
    claims++
    return Promise.resolve(true)
  },
}

beforeAll(async () => {
  const endpoint = createEndpoint({
    origin: ORIGIN,
    keys: await importPrivateKey(knownAnswers.recipient),
    replay: createReplayGuard({ store }),
    routes: { "/a": "high" },
    maxMessageBytes: 65_536,
    limits: false,
    onEvent: (event) => {
      events.push(event)
    },
  })
  server = await serve((request) =>
    endpoint.handle(request, () => {
      ran++
      return new Response("ran")
    }),
  )
})

afterAll(() => server.close())

/** What stands on the wire, but for the date. */
interface Raw {
  readonly status: number
  readonly headers: string
  readonly body: string
}

function post(body: string | Buffer, headers: Record<string, string> = {}, path = "/a"): Promise<Raw> {
  // chunked where no length is given
  const all = { "content-type": "application/jose", ...headers }
  return new Promise((resolve, reject) => {
    const outgoing = send(
      server.origin + path,
      { method: "POST", headers: all, agent: false },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
        incoming.on("end", () => {
          const raw = incoming.rawHeaders.flatMap((name, i, pairs) =>
            i % 2 === 0 && name.toLowerCase() !== "date" ? [`${name}: ${pairs[i + 1] ?? ""}`] : [],
          )
          resolve({
            status: incoming.statusCode ?? 0,
            headers: raw.join("\n"),
            body: Buffer.concat(chunks).toString("latin1"),
          })
        })
      },
    )
    outgoing.on("error", reject)
    outgoing.end(body)
  })
}

/** A request that is right, but for the parts that are given. */
const sealed = (wrong: Partial<Parts> = {}): string =>
  forge({
    context,
    message: serializeRequest({ headers: [], method: "POST", path: "/a", body: new Uint8Array(0) }),
    issuedAtSeconds: Math.floor(Date.now() / 1000),
    ...wrong,
  })

const flip = (bytes: Buffer): Buffer => Buffer.from(bytes.with(0, (bytes[0] ?? 0) ^ 1))
const replaceSegment =
  (at: number, change: (right: string) => string): Parts["segments"] =>
  (right) =>
    right.with(at, change(right[at] ?? ""))

/** Every kind of failure before step 7 has passed. */
const causes: Record<string, () => string> = {
  "no envelope": () => "hello",
  nothing: () => "",
  "a million dots": () => ".".repeat(80_000),
  "a line feed inside": () =>
    sealed({ segments: replaceSegment(2, (iv) => `${iv.slice(0, 5)}\n${iv.slice(6)}`) }),
  "a header in another order": () =>
    sealed({ header: (right) => right.replace(/^\{("alg":"[^"]+"),("ctx":"[^"]+")/, "{$2,$1") }),
  "another alg": () => sealed({ members: { alg: "RSA-OAEP" } }),
  "a short iv": () => sealed({ segments: replaceSegment(2, (iv) => iv.slice(0, -1)) }),
  "an unknown key": () => sealed({ members: { kid: "A".repeat(43) } }),
  "another context": () => sealed({ members: { ctx: contextHashOf("http\0https://other.example.com") } }),
  "a time two days ago": () => sealed({ issuedAtSeconds: Math.floor(Date.now() / 1000) - 172_800 }),
  "a reply": () => forgeReply(sealed(), SEED),
  "an encrypted key for a larger modulus": () => sealed({ encryptedKey: () => Buffer.alloc(384, 1) }),
  "an encrypted key that does not unwrap": () => sealed({ encryptedKey: () => Buffer.alloc(256, 1) }),
  "a content key of 31 bytes": () =>
    sealed({ encryptedKey: () => encryptRsa(knownAnswers.recipient, Buffer.alloc(31)) }),
  "PKCS #1 v1.5 padding": () =>
    sealed({ encryptedKey: () => encryptRsa(knownAnswers.recipient, Buffer.alloc(32), { padding: 1 }) }),
  "a wrong tag": () =>
    sealed({ segments: replaceSegment(4, (tag) => `${tag.slice(0, 3)}AAAA${tag.slice(7)}`) }),
  "another's ciphertext": () =>
    sealed({ segments: replaceSegment(3, () => sealed({ seed: Buffer.alloc(32, 9) }).split(".")[3] ?? "") }),
  "a wrong digest": () => sealed({ digest: flip }),
  "a nonce that is not the seed's": () => sealed({ members: { jti: "AAAAAAAAAAAAAAAAAAAAAA" } }),
  "a signature longer than the rest": () => sealed({ signatureLength: () => 65_535 }),
  "a signature that nobody can check": () => sealed({ signature: () => "a.b.c" }),
}

describe("refusals before a message is authentic", () => {
  it("are the same bytes on the wire, whatever the cause", async () => {
    const refused = await Promise.all(
      Object.entries(causes).map(async ([cause, envelope]) => [cause, await post(envelope())] as const),
    )
    const [[, first] = ["", undefined]] = refused
    expect(first).toMatchObject({
      status: 400,
      body: '{"type":"about:blank","title":"Bad Request","status":400}',
    })
    for (const [cause, raw] of refused) expect({ cause, ...raw }).toEqual({ cause, ...first })
    const unnamed = await post(sealed(), {}, "/b")
    expect(unnamed).toEqual(first)
    expect({ ran, claims }).toEqual({ ran: 0, claims: 0 })
  })

  it("do not hold back what is right", async () => {
    const { status } = await post(sealed())
    expect({ status, ran, claims }).toEqual({ status: 200, ran: 1, claims: 1 })
  })

  it("inflate nothing", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000))
    const before = process.memoryUsage().rss
    for (const encoding of ["gzip", "br", "deflate", "identity"]) {
      expect((await post(bomb, { "content-encoding": encoding })).status).toBe(415)
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000)
  })

  it("come as soon as a body is too long, said or not", async () => {
    expect((await post(Buffer.alloc(1_000_000, 65), { "content-length": "1000000" })).status).toBe(413)
    const chunked = await post(Buffer.alloc(300_000, 65), { "transfer-encoding": "chunked" }).catch(
      (error: unknown) => error as Error & { code: string },
    )
    // a peer that goes on sending may find the connection closed before it reads the answer
    expect("status" in chunked ? chunked.status : chunked.code).toSatisfy((seen) =>
      [413, "ECONNRESET", "EPIPE"].includes(seen as number),
    )
  })

  it("tell the operator nothing secret, and one line each", () => {
    const refusals = events.filter(({ type }) => type === "refused")
    expect(refusals.length).toBeGreaterThan(20)
    for (const event of events)
      expect(JSON.stringify(event)).not.toMatch(/[\n\r]|seed of every|content key of/)
  })
})
