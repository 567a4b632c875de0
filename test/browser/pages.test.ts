/** What pages do that came over plain http, or that were loaded again. */

import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"

import { createListener } from "sealwire/adapters/node"
import { exportJwk, generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint, type Endpoint } from "sealwire/server"
import { afterAll, beforeAll, expect, test } from "vitest"

import { bundleProgram, inBrowsers, INSECURE_HOST, type OpenPage } from "../support/pages.ts"
import { freshGuard, serverKey } from "../support/sealed-http.ts"

interface Served {
  readonly origin: string
  readonly pin: string
  readonly seen: string[]
  readonly server: Server
}

let program: string
let seq = 7
let secure: Served
let insecure: Served

/** Serves an empty page, an endpoint that gives back what it was sent, and its directory, under the name of a host. */
async function serve(host: string): Promise<Served> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const origin = `http://${host}:${(server.address() as AddressInfo).port}`
  const { signingKey: identity } = await generateSigningKeyPair()
  const endpoint = createEndpoint({
    origin,
    keys: await serverKey(),
    replay: freshGuard(),
    routes: { "GET /": "low", "POST /echo": "high" },
    directory: { identity, seq: () => seq },
    limits: false,
    // a page without WebCrypto is one that came so, from elsewhere
    dangerouslyAllowHttp: host === INSECURE_HOST ? [origin] : [],
  })
  const seen: string[] = []
  const watched: Endpoint = {
    ...endpoint,
    async answer(came, next, peer) {
      const outer = came.toRequest()
      if (outer.method === "POST") seen.push(await outer.clone().text())
      return endpoint.handle(outer, next, peer)
    },
  }
  const listener = createListener(watched, async (request) =>
    request.method === "GET"
      ? new Response("<!doctype html><title>empty</title>", { headers: { "content-type": "text/html" } })
      : new Response(`you said ${await request.text()}`),
  )
  server.on("request", listener)
  return { origin, pin: identity.kid, seen, server }
}

beforeAll(async () => {
  program = await bundleProgram()
  secure = await serve("127.0.0.1")
  insecure = await serve(INSECURE_HOST)
})

afterAll(() => {
  for (const { server } of [secure, insecure]) {
    server.close()
    server.closeAllConnections()
  }
})

inBrowsers(["Chromium", "Firefox"], (openPage) => {
  async function load(open: OpenPage, { origin }: Served): Promise<Awaited<ReturnType<OpenPage>>> {
    const page = await open()
    await page.goto(origin)
    await page.addScriptTag({ content: program })
    return page
  }

  test("a page without crypto.subtle exchanges by way of noble", async () => {
    const page = await load(openPage, insecure)
    expect(await page.evaluate(() => globalThis.program.surroundings())).toEqual({
      isSecureContext: false,
      subtle: "undefined",
    })
    const key = await exportJwk((await serverKey()).publicKey)
    for (const trust of [{ pin: insecure.pin }, { key }]) {
      const outcome = await page.evaluate(
        (given) => globalThis.program.post({ ...given, backend: "noble" }, "grüße"),
        trust,
      )
      expect(outcome).toEqual({ status: 200, text: "you said grüße" })
    }
    expect(insecure.seen.at(-1)).toMatch(/^[\w-]+(?:\.[\w-]+){4}$/)
    await page.close()
  })

  test("a page without crypto.subtle sends nothing unless it is given a backend", async () => {
    const page = await load(openPage, insecure)
    const before = insecure.seen.length
    const outcome = await page.evaluate((pin) => globalThis.program.post({ pin }, "grüße"), insecure.pin)
    expect(outcome).toMatchObject({ code: "ERR_UNSUPPORTED" })
    expect(insecure.seen).toHaveLength(before)
    await page.close()
  })

  test("a page that is loaded again refuses a directory with a lower seq", async () => {
    const { pin } = secure
    const page = await load(openPage, secure)
    const again = async (): Promise<unknown> => {
      await page.reload()
      await page.addScriptTag({ content: program })
      return page.evaluate((trusted) => globalThis.program.directory({ pin: trusted }), pin)
    }
    const { kid } = await serverKey()
    const believed = { status: 200, text: kid }
    seq = 7
    expect(await again()).toEqual(believed)
    seq = 6
    expect(await again()).toMatchObject({
      code: "ERR_KEYS_UNTRUSTED",
      message: expect.stringContaining("older"),
    })
    // a profile that has not seen the higher one has nothing to go by
    const other = await load(openPage, secure)
    expect(await other.evaluate((trusted) => globalThis.program.directory({ pin: trusted }), pin)).toEqual(
      believed,
    )
    seq = 7
    expect(await again()).toEqual(believed)
    await Promise.all([page.close(), other.close()])
  })
})
