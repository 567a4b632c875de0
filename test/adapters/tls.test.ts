import { createServer } from "node:https"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { createListener, tlsOptions } from "../../src/adapters/node.ts"
import { agreedTls, hasOpenssl } from "../support/openssl.ts"
import { endpointWith, sealedRequest } from "../support/sealed-http.ts"
import { sendTo } from "../support/over-http.ts"
import { listen, type Running, selfSigned } from "./kinds.ts"

describe.skipIf(!hasOpenssl)("a server with tlsOptions", () => {
  let running: Running
  beforeAll(async () => {
    const { key, cert } = selfSigned()
    const listener = createListener(await endpointWith(), () => new Response("hello"))
    running = await listen(createServer({ ...tlsOptions(), key, cert }, listener), cert)
  })
  afterAll(() => running.close())

  const agreed = (...args: string[]): Promise<string | undefined> =>
    agreedTls(new URL(running.url).host, ...args)

  it("is asked by a client of this time", async () => {
    const sealed = await sealedRequest()
    const answer = await sealed.read(await sendTo(running, sealed.request))
    expect(answer.text).toBe("hello")
    expect(answer.outer.headers.get("strict-transport-security")).toMatch(/^max-age=/)
  })

  it("speaks TLS 1.2 and 1.3", async () => {
    expect(await agreed("-tls1_3")).toBe("TLSv1.3 TLS_AES_256_GCM_SHA384")
    expect(await agreed("-tls1_2")).toBe("TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384")
  })

  it.each(["-tls1", "-tls1_1"])(
    "does not speak %s, not even to a client that wants nothing else",
    async (old) => {
      expect(await agreed(old, "-cipher", "ALL:@SECLEVEL=0")).toBeUndefined()
    },
  )

  it.each(["AES256-GCM-SHA384", "AES128-SHA", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA"])(
    "has no suite without forward secrecy or AEAD, such as %s",
    async (cipher) => {
      expect(await agreed("-tls1_2", "-cipher", `${cipher}:@SECLEVEL=0`)).toBeUndefined()
    },
  )

  it("does so by two locks: no old version, and no suite that one of them has", () => {
    expect(tlsOptions()).toMatchObject({ minVersion: "TLSv1.2", maxVersion: "TLSv1.3" })
  })

  it("takes every suite that it names", async () => {
    const suites = tlsOptions()
      .ciphers.split(":")
      .filter((suite) => suite.startsWith("ECDHE-RSA"))
    expect(suites.length).toBe(3)
    for (const suite of suites) {
      expect(await agreed("-tls1_2", "-cipher", suite)).toBe(`TLSv1.2 ${suite}`)
    }
  })
})

it("the check itself sees a server that speaks TLS 1.1", async () => {
  if (!hasOpenssl) return
  const { key, cert } = selfSigned()
  const old = { minVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" } as const
  const lax = await listen(
    createServer({ ...old, key, cert }, (_, res) => res.end()),
    cert,
  )
  try {
    expect(await agreedTls(new URL(lax.url).host, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")).toMatch(
      /^TLSv1(?:\.[01])? /,
    )
  } finally {
    await lax.close()
  }
})
