/** One session for all pages of an origin, kept in IndexedDB, against a server that counts what it offers. */

import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"

import type { Frame, Page } from "playwright"
import { createListener } from "sealwire/adapters/node"
import { generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint } from "sealwire/server"
import { createKeyPool, createSessions, type Sessions } from "sealwire/session"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"

import { bundleProgram, inBrowsers } from "../support/pages.ts"
import { freshGuard, serverKey } from "../support/sealed-http.ts"

let program: string
let server: Server
let sessions: Sessions
let origin: string
let pin: string
/** How many sessions the server has offered. */
let offered = 0

beforeAll(async () => {
  program = await bundleProgram()
  server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { signingKey: identity } = await generateSigningKeyPair()
  pin = identity.kid
  sessions = createSessions({ identity, keyPool: createKeyPool({ size: 8, modulusBits: 2048 }) })
  const endpoint = createEndpoint({
    origin,
    keys: await serverKey(),
    replay: freshGuard(),
    routes: { "GET /": "low", "GET /who": "high" },
    directory: { identity },
    sessions,
    admitHandshake: ({ url }) => {
      if (url.endsWith("/sessions")) offered++
      return true
    },
    limits: false,
  })
  const listener = createListener(endpoint, async (_, { session }) =>
    session === undefined
      ? new Response("<!doctype html><title>empty</title>", { headers: { "content-type": "text/html" } })
      : new Response(session),
  )
  server.on("request", listener)
  await sessions.ready()
})

afterAll(() => {
  sessions.close()
  server.close()
  server.closeAllConnections()
})

beforeEach(() => {
  offered = 0
})

/** Asks in which session the server hears this page. */
const whoIn = (page: Page | Frame): Promise<unknown> =>
  page.evaluate((trusted) => globalThis.program.who(trusted), pin)

inBrowsers(["Chromium", "Firefox"], (openPage) => {
  async function load(page: Page): Promise<Page> {
    await page.goto(origin)
    await page.addScriptTag({ content: program })
    return page
  }

  /** A page inside a page, with a client of its own. */
  async function embed(page: Page): Promise<Frame> {
    await page.evaluate(async () => {
      const frame = document.createElement("iframe")
      frame.src = "/"
      const loaded = new Promise((resolve) => (frame.onload = resolve))
      document.body.append(frame)
      await loaded
    })
    const [frame] = page.mainFrame().childFrames()
    if (!frame) throw new Error("the page has no frame")
    await frame.addScriptTag({ content: program })
    return frame
  }

  test("tabs, frames and pages that are loaded again share one session", async () => {
    const first = await load(await openPage())
    const id = await whoIn(first)
    expect(id).toMatch(/^[\w-]{22}$/)
    const second = await load(await first.context().newPage())
    const frame = await embed(second)
    expect([await whoIn(second), await whoIn(frame), await whoIn(first)]).toEqual([id, id, id])
    await load(first)
    expect(await whoIn(first)).toBe(id)
    expect(offered).toBe(1)
    // a profile of its own has a session of its own
    const stranger = await load(await openPage())
    expect(await whoIn(stranger)).not.toBe(id)
    await Promise.all([first.close(), second.close(), stranger.close()])
  })

  test("what is kept is a key that no script can export", async () => {
    const page = await load(await openPage())
    await whoIn(page)
    expect(await page.evaluate(() => globalThis.program.keptSecret())).toEqual({
      type: "secret",
      algorithm: "HMAC",
      usages: ["sign"],
      extractable: false,
      exported: "InvalidAccessError",
    })
    await page.close()
  })

  test("a logout in one page is noticed by the others, which open one session anew", async () => {
    const first = await load(await openPage())
    const second = await load(await first.context().newPage())
    const id = await whoIn(first)
    expect(await whoIn(second)).toBe(id)
    await first.evaluate(() => globalThis.program.leave())
    expect((await sessions.list()).map((each) => each.id)).not.toContain(id)
    // it believes that its session lives, and learns better
    const next = await whoIn(second)
    expect(next).toMatch(/^[\w-]{22}$/)
    expect(next).not.toBe(id)
    expect(await whoIn(first)).toBe(next)
    expect(offered).toBe(2)
    await Promise.all([first.close(), second.close()])
  })

  test("tabs that open theirs at once have one, and a logout ends it for all", async () => {
    const first = await load(await openPage())
    const tabs = [
      first,
      await load(await first.context().newPage()),
      await load(await first.context().newPage()),
    ]
    const [id, ...others] = await Promise.all(tabs.map(whoIn))
    expect(others).toEqual([id, id])
    await first.evaluate(() => globalThis.program.leave())
    const next = await Promise.all(tabs.map(whoIn))
    expect(next).not.toContain(id)
    expect(new Set(next).size).toBe(1)
    await Promise.all(tabs.map((tab) => tab.close()))
  })

  test("a page that is refused a database has a session, and a key directory, for itself", async () => {
    const page = await load(await openPage())
    await page.evaluate(() => {
      // as in a sandboxed frame
      IDBFactory.prototype.open = () => {
        throw new DOMException("denied", "SecurityError")
      }
    })
    const id = await whoIn(page)
    expect(id).toMatch(/^[\w-]{22}$/)
    expect(await whoIn(page)).toBe(id)
    const directory = await page.evaluate((trusted) => globalThis.program.directory({ pin: trusted }), pin)
    expect(directory).toMatchObject({ status: 200 })
    await page.close()
  })

  test("a page that deletes the databases waits for no other, and no other for it", async () => {
    const first = await load(await openPage())
    const id = await whoIn(first)
    await first.evaluate((trusted) => globalThis.program.directory({ pin: trusted }), pin)
    const second = await load(await first.context().newPage())
    const deleted = await second.evaluate(async () => {
      const names = (await indexedDB.databases()).map(({ name = "" }) => name)
      for (const name of names) {
        const deleting = indexedDB.deleteDatabase(name)
        await new Promise((resolve) => (deleting.onsuccess = resolve))
      }
      return names.sort()
    })
    expect(deleted).toEqual(["sealwire", "sealwire-sessions"])
    expect(await whoIn(first)).toBe(id)
    expect(await whoIn(second)).not.toBe(id)
    await Promise.all([first.close(), second.close()])
  })
})
