import { describe, expect, test } from "vitest"

import { createWorld, envelopeOf, ORIGIN, type Sent, toAll, type World } from "../support/client-world.ts"
import { errorOf } from "../support/reader.ts"

type Tamper = (answer: Response, sent: Sent, world: World) => Response | Promise<Response>

const jose = { "content-type": "application/jose" }

/** A POST, so that nothing is repeated, whose answer somebody on the way has changed. */
async function receive(tamper: Tamper): Promise<{ world: World; outcome: unknown }> {
  const world = await createWorld()
  world.handler = () => Response.json({ secret: "balance" }, { status: 403 })
  world.between = toAll(async (sent, _, pass) => tamper(await pass(sent), sent, world))
  const outcome = await world.client
    .fetch("/a", { method: "POST", body: "{}" })
    .catch((error: unknown) => error)
  return { world, outcome }
}

const flip = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1)

const refused: [string, Tamper][] = [
  ["plain JSON in its place", () => Response.json({ secret: "forged" })],
  ["nothing in its place", () => new Response(null, { status: 204 })],
  ["an empty body", () => new Response("", { headers: jose })],
  ["the request's own envelope", (_, sent) => new Response(envelopeOf(sent), { headers: jose })],
  [
    "the request's own envelope as header",
    (_, sent) => new Response(null, { headers: { sealwire: envelopeOf(sent) } }),
  ],
  [
    "another content type",
    async (answer) => new Response(await answer.text(), { headers: { "content-type": "text/html" } }),
  ],
  [
    "the type of a stream",
    async (answer) =>
      new Response(await answer.text(), { headers: { "content-type": "application/sealwire-stream" } }),
  ],
  ["a changed character", async (answer) => new Response(flip(await answer.text(), 400), { headers: jose })],
  [
    "its last character gone",
    async (answer) => new Response((await answer.text()).slice(0, -1), { headers: jose }),
  ],
  ["a space at its end", async (answer) => new Response(`${await answer.text()} `, { headers: jose })],
  ["bytes that are no text", () => new Response(new Uint8Array([0xff, 0xfe]), { headers: jose })],
  [
    "another reply in the header, too",
    async (answer) => new Response(answer.body, { headers: { ...jose, sealwire: "e.e.e.e.e" } }),
  ],
  ["a 304 without a reply", () => new Response(null, { status: 304 })],
]

test.each(refused)("refuses an answer with %s, and shows nothing of it", async (_, tamper) => {
  const { outcome, world } = await receive(tamper)
  expect(outcome).toMatchObject({ name: "SealwireError", code: "ERR_UNSEALED" })
  expect(String(outcome)).not.toMatch(/forged|balance/)
  expect(world.sent).toHaveLength(1)
  expect(world.events.at(-1)).toMatchObject({ type: "failure", code: "ERR_UNSEALED" })
})

test("refuses the reply to another request of the same client", async () => {
  const world = await createWorld()
  const replies: string[] = []
  world.between = toAll(async (sent, _, pass) => {
    replies.push(await (await pass(sent)).text())
    return new Response(replies[0] ?? "", { headers: jose })
  })
  const send = (): Promise<Response> => world.client.fetch("/a", { method: "POST", body: "{}" })
  expect((await send()).status).toBe(200)
  expect(await errorOf(send())).toMatchObject({ code: "ERR_UNSEALED" })
})

test.each([200, 204, 400, 401, 409, 429, 500])(
  "reports the inner status where a proxy made it %i",
  async (status) => {
    const { outcome } = await receive(async (answer) => {
      const envelope = await answer.text()
      if (status !== 204) return new Response(envelope, { status, headers: jose })
      return new Response(null, { status, headers: { sealwire: envelope } })
    })
    expect(outcome).toBeInstanceOf(Response)
    expect((outcome as Response).status).toBe(403)
    expect(await (outcome as Response).json()).toEqual({ secret: "balance" })
  },
)

test("believes no outer header", async () => {
  const { outcome } = await receive(
    async (answer) =>
      new Response(await answer.text(), {
        headers: {
          ...jose,
          "content-type": "Application/JOSE; charset=x",
          "x-request-id": "forged",
          "x-more": "1",
        },
      }),
  )
  const { headers } = outcome as Response
  expect(headers.get("content-type")).toBe("application/json")
  expect(headers.get("x-request-id")).not.toBe("forged")
  expect(headers.has("x-more")).toBe(false)
})

describe("redirects", () => {
  test.each([300, 301, 302, 303, 305, 307, 308])(
    "a %i is refused, also with a reply, and nothing is sent after it",
    async (status) => {
      const world = await createWorld()
      world.between = toAll(
        async (sent, _, pass) =>
          new Response(await (await pass(sent)).text(), {
            status,
            headers: { ...jose, location: "https://other.example/" },
          }),
      )
      expect(await errorOf(world.client.fetch("/a", { method: "PUT", body: "{}" }))).toMatchObject({
        code: "ERR_UNSEALED",
        outerStatus: status,
      })
      expect(world.sent).toHaveLength(1)
    },
  )

  test.each([
    ["opaque one", { type: "opaqueredirect", status: 0 }],
    ["one that a fetch has followed", { redirected: true }],
  ])("an %s is refused", async (_, properties) => {
    const world = await createWorld()
    world.between = toAll(async (sent, _count, pass) => {
      const answer = await pass(sent)
      for (const [name, value] of Object.entries(properties)) Object.defineProperty(answer, name, { value })
      return answer
    })
    expect(await errorOf(world.client.fetch("/a"))).toMatchObject({ code: "ERR_UNSEALED" })
    expect(world.sent).toHaveLength(1)
  })
})

test("stops reading an endless answer, and lets its connection go", async () => {
  const world = await createWorld({ client: { maxResponseBytes: 1000 } })
  let pulls = 0
  let cancelled = false
  world.between = toAll(
    () =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            pulls++
            controller.enqueue(new Uint8Array(65_536).fill(65))
          },
          cancel: () => {
            cancelled = true
          },
        }),
        { headers: jose },
      ),
  )
  expect(await errorOf(world.client.fetch("/a"))).toMatchObject({ code: "ERR_TOO_LARGE" })
  expect(pulls).toBeLessThan(12)
  expect(cancelled).toBe(true)
})

describe("a streamed answer", () => {
  const LENGTH = 700_000
  async function stream(change: (bytes: Uint8Array, headEnd: number) => Uint8Array): Promise<unknown> {
    const world = await createWorld()
    world.handler = () => new Response("x".repeat(LENGTH))
    world.between = toAll(async (sent, _, pass) => {
      const answer = await pass(sent)
      expect(answer.headers.get("content-type")).toBe("application/sealwire-stream")
      const bytes = new Uint8Array(await answer.arrayBuffer())
      return new Response(change(bytes, bytes.indexOf(10)) as never, { headers: answer.headers })
    })
    const response = await world.client.fetch("/a", { method: "POST", body: "{}" })
    expect(response.status).toBe(200)
    return response.text().catch((error: unknown) => error)
  }

  test("comes whole", async () => {
    expect(await stream((bytes) => bytes)).toHaveLength(LENGTH)
  })

  test.each([
    ["behind its head", (_: Uint8Array, headEnd: number) => headEnd + 1],
    ["in its middle", (bytes: Uint8Array) => bytes.length >> 1],
    ["before its end frame", (bytes: Uint8Array) => bytes.length - 21],
    ["one byte before its end", (bytes: Uint8Array) => bytes.length - 1],
  ])("that was cut %s is ERR_TRUNCATED, not an end", async (_, at) => {
    expect(await stream((bytes, headEnd) => bytes.subarray(0, at(bytes, headEnd)))).toMatchObject({
      code: "ERR_TRUNCATED",
    })
  })

  test("that was changed is ERR_OPEN_FAILED", async () => {
    const changed = await stream((bytes, headEnd) =>
      bytes.with(headEnd + 100, (bytes[headEnd + 100] ?? 0) ^ 1),
    )
    expect(changed).toMatchObject({ code: "ERR_OPEN_FAILED" })
  })

  test("that was cut in its head is refused", async () => {
    await expect(stream((bytes) => bytes.subarray(0, 100))).rejects.toMatchObject({ code: "ERR_UNSEALED" })
  })
})

test("says which method and path did not arrive as sealed", async () => {
  const world = await createWorld()
  world.between = toAll((sent, _, pass) => pass({ ...sent, url: `${ORIGIN}/b` }))
  const error = await errorOf(world.client.fetch("/a"))
  expect(error).toMatchObject({ code: "ERR_MISMATCH" })
  expect(world.sent).toHaveLength(1)
  expect(world.handled).toEqual([])
})
