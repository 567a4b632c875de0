import { describe, expect, it } from "vitest"

import { outerRequest } from "../../src/server/outer-request.ts"
import { type Source, sourceReader } from "../../src/server/source.ts"

const from = (
  address: string | undefined,
  headers: Record<string, string> = {},
  trusted: string[] = [],
  encrypted = false,
): Source =>
  sourceReader(trusted)(outerRequest(new Request("https://api.example.com/a", { headers })), {
    address,
    encrypted,
  })

describe("the source of a request", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80::/64"],
  ])("%s is %s", (address, network) => {
    expect(from(address).network).toBe(network)
  })

  it("is the same however many others have come meanwhile", () => {
    const sourceOf = sourceReader([])
    const request = outerRequest(new Request("https://api.example.com/a"))
    const networkOf = (address: string): string | undefined => sourceOf(request, { address }).network
    expect(networkOf("no address")).toBeUndefined()
    for (let each = 0; each < 3000; each++) {
      const address = `203.0.${each >> 8}.${each & 255}`
      expect(networkOf(address)).toBe(address)
      expect(networkOf("2001:db8::7")).toBe("2001:db8::/64")
    }
    expect(networkOf("no address")).toBeUndefined()
  })

  it("is the socket's, whatever is forwarded by somebody who is not trusted", () => {
    const headers = { "x-forwarded-for": "198.51.100.1", "x-forwarded-proto": "https" }
    expect(from("203.0.113.7", headers)).toEqual({
      network: "203.0.113.7",
      isEncrypted: false,
      isLoopback: false,
    })
    expect(from("203.0.113.7", headers, ["10.0.0.0/8"]).network).toBe("203.0.113.7")
  })

  it.each([
    ["the nearest that is not trusted", "192.0.2.66, 198.51.100.1", "198.51.100.1"],
    ["behind two trusted ones", "192.0.2.66, 198.51.100.1, 10.0.0.9", "198.51.100.1"],
    ["with a port", "198.51.100.1:4711", "198.51.100.1"],
    ["IPv6 with a port", "[2001:db8::1]:4711", "2001:db8::/64"],
    ["the last hop that is known, before what is no address", "192.0.2.66, unknown", "10.0.0.1"],
    ["not an abbreviated or hexadecimal address", "192.0.2.66, 0x7f.1", "10.0.0.1"],
    ["the proxy where nothing is forwarded", "", "10.0.0.1"],
  ])("is %s", (_, forwarded, network) => {
    expect(from("10.0.0.1", { "x-forwarded-for": forwarded }, ["10.0.0.0/8"]).network).toBe(network)
  })

  it("looks at no more than 32 hops", () => {
    const forwarded = ["198.51.100.1", ...Array.from({ length: 40 }, () => "10.0.0.2")].join(", ")
    expect(from("10.0.0.1", { "x-forwarded-for": forwarded }, ["10.0.0.0/8"]).network).toBe("10.0.0.2")
  })

  it.each([
    ["https", "198.51.100.1", true],
    ["http", "198.51.100.1", false],
    ["", "198.51.100.1", false],
    // the client's own claim, and what the proxy has added
    ["https, http", "198.51.100.1", false],
    ["https, http", "198.51.100.1, 10.0.0.9", true],
  ])("came over TLS by x-forwarded-proto %j of trusted proxies (%s): %s", (proto, forwarded, isEncrypted) => {
    const headers = { "x-forwarded-for": forwarded, "x-forwarded-proto": proto }
    expect(from("10.0.0.1", headers, ["10.0.0.0/8"], true).isEncrypted).toBe(isEncrypted)
  })

  it("is loopback only if no proxy that nobody has named stands between", () => {
    expect(from("127.0.0.1").isLoopback).toBe(true)
    expect(from("::1").isLoopback).toBe(true)
    expect(from("127.0.0.1", { "x-forwarded-for": "127.0.0.1" }).isLoopback).toBe(false)
    const behind = { "x-forwarded-for": "198.51.100.1" }
    expect(from("127.0.0.1", behind, ["127.0.0.1"]).isLoopback).toBe(false)
  })

  it("is what a proxy on a Unix socket says, if that is trusted by its name", () => {
    const headers = { "x-forwarded-for": "192.0.2.66, 198.51.100.1", "x-forwarded-proto": "https" }
    const encrypted = { network: "198.51.100.1", isEncrypted: true, isLoopback: false }
    expect(from("unix", headers, ["unix"])).toEqual(encrypted)
    // an address behind it is trusted by its own name
    const behind = from("unix", { ...headers, "x-forwarded-for": "192.0.2.66, 10.0.0.9" }, [
      "unix",
      "10.0.0.0/8",
    ])
    expect(behind.network).toBe("192.0.2.66")
    for (const trusted of [[], ["127.0.0.1", "::1", "0.0.0.0/0", "::/0"]]) {
      expect(from("unix", headers, trusted)).toEqual({
        network: "unix",
        isEncrypted: false,
        isLoopback: false,
      })
    }
  })

  it("is this machine for a Unix socket on which nothing was forwarded", () => {
    const local = { network: "unix", isEncrypted: false, isLoopback: true }
    expect(from("unix")).toEqual(local)
    expect(from("unix", {}, ["unix"])).toEqual(local)
  })

  it("is no Unix socket because a header or nobody says so", () => {
    const headers = { "x-forwarded-for": "unix", "x-forwarded-proto": "https" }
    expect(from("203.0.113.7", headers, ["unix"]).network).toBe("203.0.113.7")
    expect(from("10.0.0.1", headers, ["unix", "10.0.0.1"]).network).toBe("10.0.0.1")
    expect(from(undefined, headers, ["unix"])).toEqual({
      network: undefined,
      isEncrypted: false,
      isLoopback: false,
    })
  })

  it("is unknown where nobody tells the address", () => {
    const read = (url: string): Source => sourceReader([])(outerRequest(new Request(url)), undefined)
    expect(read("http://localhost:3000/")).toEqual({
      network: undefined,
      isEncrypted: false,
      isLoopback: true,
    })
    expect(read("http://api.example.com/")).toMatchObject({ isLoopback: false })
    expect(read("https://api.example.com/")).toMatchObject({ isEncrypted: true })
  })

  it.each(["10.0.0.0/33", "10.0.0.0/8/8", "10.0.0", "::1/129", "proxy.example.com", "10.0.0.0/", 7])(
    "is not read from behind %j, which is no network",
    (network) => {
      expect(() => sourceReader([network as string])).toThrow(/options.trustedProxies must hold/)
    },
  )
})
