import fc from "fast-check"
import { describe, expect, it } from "vitest"

import {
  type HeaderPair,
  parseRequest,
  parseResponse,
  serializeRequest,
  serializeResponse,
} from "../../src/http/message.ts"

const encoder = new TextEncoder()

/** A message with a head of any text. */
function withHead(head: string, body = ""): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(head)
  const message = new Uint8Array(4 + bytes.length + body.length)
  new DataView(message.buffer).setUint32(0, bytes.length)
  message.set(bytes, 4)
  message.set(encoder.encode(body), 4 + bytes.length)
  return message
}

const headers = fc.array(
  fc.tuple(
    fc.stringMatching(/^x-[a-z0-9]{1,8}$/),
    fc
      .string({ unit: "binary", maxLength: 20 })
      .filter((text) => /^[^\0\r\n\u0100-\u{10ffff}]*$/u.test(text)),
  ),
)
const body = fc.uint8Array({ maxLength: 100 }).map((bytes) => new Uint8Array(bytes))

describe("an HTTP message inside an envelope", () => {
  it("has the bytes of docs/protocol.md §8", () => {
    const request = {
      headers: [["content-type", "application/json"]] as HeaderPair[],
      method: "POST",
      path: "/transfers?draft=1",
      body: encoder.encode('{"amount":120}'),
    }
    const bytes = withHead(
      '{"headers":[["content-type","application/json"]],"method":"POST","path":"/transfers?draft=1"}',
      '{"amount":120}',
    )
    expect(serializeRequest(request)).toEqual(bytes)
    expect(parseRequest(bytes)).toEqual(request)
  })

  it("comes back as it was", () => {
    const path = fc.stringMatching(/^\/[a-z0-9%?=&./-]{0,30}$/)
    const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH")
    fc.assert(
      fc.property(headers, method, path, body, (pairs, verb, target, bytes) => {
        const request = { headers: pairs, method: verb, path: target, body: bytes }
        expect(parseRequest(serializeRequest(request))).toEqual(request)
      }),
    )
    fc.assert(
      fc.property(headers, fc.integer({ min: 200, max: 599 }), body, (pairs, status, bytes) => {
        const response = { headers: pairs, status, body: bytes }
        expect(parseResponse(serializeResponse(response))).toEqual(response)
      }),
    )
  })

  it.each([
    ["members in another order", '{"method":"POST","headers":[],"path":"/"}'],
    ["a space", '{"headers":[], "method":"POST","path":"/"}'],
    ["a further member", '{"headers":[],"level":"low","method":"POST","path":"/"}'],
    ["a member twice", '{"headers":[],"method":"GET","method":"POST","path":"/"}'],
    ["an escape that is not needed", '{"headers":[],"method":"POST","path":"/\\u0061"}'],
    ["a name in upper case", '{"headers":[["X-A","1"]],"method":"POST","path":"/"}'],
    ["a line feed in a value", '{"headers":[["x-a","1\\n2"]],"method":"POST","path":"/"}'],
    ["NUL in a value", '{"headers":[["x-a","\\u0000"]],"method":"POST","path":"/"}'],
    ["a value that is no byte", '{"headers":[["x-a","Ā"]],"method":"POST","path":"/"}'],
    ["three parts in a header", '{"headers":[["x-a","1","2"]],"method":"POST","path":"/"}'],
    ["a number as a value", '{"headers":[["x-a",1]],"method":"POST","path":"/"}'],
    ["a method in lower case", '{"headers":[],"method":"post","path":"/"}'],
    ["a path without a slash", '{"headers":[],"method":"POST","path":"a"}'],
    ["a fragment", '{"headers":[],"method":"POST","path":"/#a"}'],
    ["a space in the path", '{"headers":[],"method":"POST","path":"/a b"}'],
    ["an array", "[]"],
    ["null", "null"],
    ["no JSON", "{"],
    ...["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"].map(
      (name) => [`the header ${name}`, `{"headers":[["${name}","1"]],"method":"POST","path":"/"}`],
    ),
  ])("is refused with %s", (_, head) => {
    expect(parseRequest(withHead(head))).toBeUndefined()
  })

  it("is refused with a length beyond its end, and with none", () => {
    expect(parseRequest(new Uint8Array([0, 0, 0]))).toBeUndefined()
    expect(parseRequest(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x7b]))).toBeUndefined()
    expect(parseResponse(withHead('{"headers":[],"status":199}'))).toBeUndefined()
    expect(parseResponse(withHead('{"headers":[],"status":200.0}'))).toBeUndefined()
    expect(parseResponse(withHead('{"headers":[],"status":600}'))).toBeUndefined()
  })
})
