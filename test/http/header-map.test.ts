import { describe, expect, it } from "vitest"

import { HeaderMap } from "../../src/http/header-map.ts"
import { ownAnswer, webResponse } from "../../src/http/outer-response.ts"

describe("headers of this library's own making", () => {
  it("come in the order in which Headers has them", () => {
    const pairs: [string, string][] = [
      ["x-frame-options", "DENY"],
      ["content-type", "application/jose"],
      ["x-a", "1"],
      ["content-security-policy", "default-src 'none'"],
    ]
    expect(new HeaderMap(pairs).sorted()).toEqual([...new Headers(pairs)])
  })

  it("are joined as Headers joins them", () => {
    const headers = new HeaderMap([["vary", "accept"]])
    headers.append("vary", "origin")
    headers.append("x-a", "1")
    expect(headers.sorted()).toEqual([
      ["vary", "accept, origin"],
      ["x-a", "1"],
    ])
  })
})

describe("an answer of this library's own", () => {
  it("is the same as a Web response", async () => {
    const response = webResponse(ownAnswer("text", [["content-type", "text/plain"]], 429))
    expect(response.status).toBe(429)
    expect([...response.headers]).toEqual([
      ["cache-control", "no-store"],
      ["content-type", "text/plain"],
    ])
    expect(await response.text()).toBe("text")
  })

  it("is kept by nobody, unless its headers say so", () => {
    const { headers } = ownAnswer(null, [["cache-control", "public"]])
    expect(headers.sorted()).toEqual([["cache-control", "public"]])
  })
})
