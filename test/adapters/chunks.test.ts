import { IncomingMessage } from "node:http"
import { Socket } from "node:net"

import { describe, expect, it } from "vitest"

import { discarding } from "../../src/node-http/chunks.ts"

const canGiveBack = "transfer" in ArrayBuffer.prototype

describe("a chunk that nobody reads on", () => {
  it("gives its memory back at once, where the runtime can", () => {
    const chunk = new Uint8Array(1000)
    discarding(new IncomingMessage(new Socket()))(chunk)
    expect(chunk.length).toBe(canGiveBack ? 0 : 1000)
  })

  it("is left alone where somebody else reads the body, too", () => {
    const req = new IncomingMessage(new Socket())
    req.on("data", () => undefined)
    const chunk = new Uint8Array(1000)
    discarding(req)(chunk)
    expect(chunk.length).toBe(1000)
  })

  it("is left alone where no socket has brought it: it is whoever made the request's", () => {
    const chunk = new Uint8Array(1000)
    discarding(new IncomingMessage(undefined as never))(chunk)
    expect(chunk.length).toBe(1000)
  })

  it("is left alone where it is a part of something larger", () => {
    const chunk = new Uint8Array(1000).subarray(1)
    discarding(new IncomingMessage(new Socket()))(chunk)
    expect(chunk.length).toBe(999)
  })
})
