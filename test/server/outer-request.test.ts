import { describe, expect, it } from "vitest"

import { outerRequest } from "../../src/server/outer-request.ts"
import { endpointWith, ORIGIN } from "../support/sealed-http.ts"

/** More than a function takes as arguments. */
const MANY = 300_000

/** A request whose body comes a byte at a time. */
function inBytes(count: number): Request {
  let sent = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent++ < count) controller.enqueue(Uint8Array.of(sent % 251))
      else controller.close()
    },
  })
  const headers = { "content-type": "application/jose" }
  return new Request(`${ORIGIN}/transfers`, { method: "POST", headers, body, duplex: "half" } as RequestInit)
}

describe("the body of a request that has come", () => {
  it("is read as it came, a byte at a time", async () => {
    const read = await outerRequest(inBytes(1000)).readBody(1000)
    expect(read).toEqual(Uint8Array.from({ length: 1000 }, (_, at) => (at + 1) % 251))
  })

  it("is not read beyond the limit", async () => {
    expect(await outerRequest(inBytes(1001)).readBody(1000)).toBeUndefined()
  })

  it("is refused like any other when it comes in more chunks than a function takes arguments", async () => {
    const endpoint = await endpointWith()
    const { status } = await endpoint.handle(inBytes(MANY), () => new Response())
    expect(status).toBe(400)
  })
})
