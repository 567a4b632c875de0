import { once } from "node:events"
import type { AddressInfo } from "node:net"

import express from "express"
import { describe, expect, it } from "vitest"
import { z } from "zod"

import { type BufferedRequest, readJson, type ReadJsonOptions } from "../../src/server.ts"

const JSON_TYPE = { "content-type": "application/json" }

const post = (body: BodyInit, headers: Record<string, string> = JSON_TYPE): Request =>
  new Request("https://api.example.com/a", { method: "POST", headers, body })

async function statusOf(body: BodyInit, options: ReadJsonOptions = {}, headers = JSON_TYPE): Promise<number> {
  const { refused } = await readJson(post(body, headers), options)
  return refused ? refused.status : 200
}

describe("a handler's JSON", () => {
  it.each([
    ["null", null],
    ['"text"', "text"],
    ["[]", []],
    [' {"a" : [1, {"b": "x,:{[\\"" }] } ', { a: [1, { b: 'x,:{["' }] }],
    ['{"constructor":1}', { constructor: 1 }],
  ])("%s is read", async (text, value) => {
    expect(await readJson(post(text))).toEqual({ value })
  })

  it.each([
    ["application/json", 200],
    ["application/json; charset=utf-8", 200],
    ["application/merge-patch+json", 200],
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/jsonp", 415],
    ["text/json", 415],
  ])("of the type %s: %d", async (type, status) => {
    expect(await statusOf("{}", {}, { "content-type": type })).toBe(status)
  })

  it.each([
    ["no JSON", "{a:1}"],
    ["nothing", ""],
    ["two values", "{} {}"],
    ["a comma too many", "[1,]"],
    ["members of one name", '{"a":1,"a":2}'],
    ["members of one name, spelled differently", '{"a":1,"\\u0061":2}'],
    ["such members deep inside", '[{"b":{"a":1,"a":1}}]'],
    ["__proto__", '{"__proto__":{"admin":true}}'],
    ["__proto__ by escapes", '{"\\u005f_proto__":{"admin":true}}'],
    ["a prototype by its constructor", '{"constructor":{"prototype":{"admin":true}}}'],
    ["a byte order mark", "\ufeff{}"],
    ["an open string", '{"a":"b'],
  ])("that is %s is refused with 400", async (_, text) => {
    expect(await statusOf(text)).toBe(400)
  })

  it("that is not UTF-8 is refused with 400", async () => {
    expect(await statusOf(new Uint8Array([0x22, 0xff, 0x22]))).toBe(400)
  })

  it("has as many bytes, levels and parts as it may, and one more is refused with 413", async () => {
    expect(await statusOf(`"${"x".repeat(8)}"`, { maxBytes: 10 })).toBe(200)
    expect(await statusOf(`"${"x".repeat(9)}"`, { maxBytes: 10 })).toBe(413)
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth)
    expect(await statusOf(nested(4), { maxDepth: 4 })).toBe(200)
    expect(await statusOf(nested(5), { maxDepth: 4 })).toBe(413)
    expect(await statusOf("[1,2,3]", { maxKeys: 3 })).toBe(200)
    expect(await statusOf('[1,{"a":2},3]', { maxKeys: 3 })).toBe(413)
    expect(await statusOf('{"a":1,"b":2,"c":3,"d":4}', { maxKeys: 3 })).toBe(413)
  })

  it("of a million levels exhausts no stack", async () => {
    expect(await statusOf("[".repeat(1_000_000), { maxBytes: 2_000_000 })).toBe(413)
  })

  it("is what a schema makes of it, or is refused with 422 and where it is wrong", async () => {
    const schema = z.strictObject({ to: z.string(), lines: z.array(z.object({ cents: z.int() })) })
    const good = await readJson(post('{"to":"a","lines":[{"cents":1,"more":2}]}'), { schema })
    expect(good.value?.lines).toEqual([{ cents: 1 }])
    const { refused } = await readJson(post('{"to":"a","lines":[{"cents":"1"}]}'), { schema })
    expect(refused?.status).toBe(422)
    expect(refused?.headers.get("content-type")).toBe("application/problem+json")
    expect(await refused?.json()).toMatchObject({ issues: [{ path: ["lines", "0", "cents"] }] })
  })

  it.each([
    [{ maxBytes: 0 }, RangeError],
    [{ maxDepth: 257 }, RangeError],
    [{ schema: {} }, TypeError],
    [{ maxItems: 1 }, TypeError],
  ])("is not read with the options %j", async (options, error) => {
    await expect(readJson(post("{}"), options as never)).rejects.toThrow(error)
  })
})

describe("a handler's JSON whose body a framework has read as bytes", () => {
  const buffered = (body: unknown, type: string | undefined = "application/json"): BufferedRequest => ({
    headers: { "content-type": type },
    body,
  })
  const statusOfBytes = async (request: BufferedRequest): Promise<number> =>
    (await readJson(request, { maxBytes: 10 })).refused?.status ?? 200

  it("is read as a Web request's", async () => {
    expect(await readJson(buffered(Buffer.from('{"a":1}')))).toEqual({ value: { a: 1 } })
    expect(await readJson(buffered(new TextEncoder().encode("[1]")))).toEqual({ value: [1] })
  })

  it.each([
    ["is of another type", buffered(Buffer.from("{}"), "text/plain"), 415],
    ["is of no type", { headers: {}, body: Buffer.from("{}") }, 415],
    ["is none", buffered(undefined), 400],
    ["is not UTF-8", buffered(Buffer.from([0x22, 0xff, 0x22])), 400],
    ["is no JSON", buffered(Buffer.from("{a:1}")), 400],
    ["is too long", buffered(Buffer.from('"123456789"')), 413],
    ["is as long as it may be", buffered(Buffer.from('"12345678"')), 200],
  ])("that %s", async (_, request, status) => {
    expect(await statusOfBytes(request)).toBe(status)
  })

  it.each([[{ a: 1 }], ["{}"], [null]])(
    "that was parsed as %j is a mistake of the application",
    async (body) => {
      await expect(readJson(buffered(body))).rejects.toThrow(/request.body must be bytes, as express.raw/)
    },
  )

  it("is Express's own request behind express.raw()", async () => {
    const app = express()
    app.post("/", express.raw({ type: () => true }), async (req, res) => {
      const { value, refused } = await readJson(req)
      if (refused) res.status(refused.status).end()
      else res.json({ got: value })
    })
    const server = app.listen(0, "127.0.0.1")
    try {
      await once(server, "listening")
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const send = (body: string) => fetch(url, { method: "POST", headers: JSON_TYPE, body })
      expect(await (await send('{"a":1}')).json()).toEqual({ got: { a: 1 } })
      expect((await send("")).status).toBe(400)
      expect((await fetch(url, { method: "POST" })).status).toBe(415)
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
})
