/** A server on a real port, flooded with all kinds of bad requests while clients work: nobody is forgotten, and nothing grows. */

import { Agent } from "node:http"
import type { AddressInfo } from "node:net"
import { createServer } from "node:http"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { createListener } from "../../src/adapters/node.ts"
import { createClient } from "../../src/client.ts"
import type { EndpointEvent } from "../../src/server.ts"
import { BAD_KINDS, type BadKind, type Flood, makeFlood, sendFlood } from "../support/flood.ts"
import { endpointWith, ORIGIN, serverKey } from "../support/sealed-http.ts"

const PATH = "/transfers"
const MAX_MESSAGE_BYTES = 65_536
const MOST_EVENTS = 20
const CLIENTS = 10
const EACH = 20
const BAD_AT_ONCE = 60
const LEAST_BAD = 900
/** What was not told one by one is counted a second later. */
const SUMMARY_MS = 1500

describe("a flood of bad requests", () => {
  const events: EndpointEvent[] = []
  const carriedOut = new Map<number, number>()
  const answers: { readonly kind: BadKind; readonly status: number }[] = []
  let answered: number[] = []
  let originals: number[] = []
  const agent = new Agent({ keepAlive: true, maxSockets: BAD_AT_ONCE })
  const server = createServer()

  async function listen(): Promise<string> {
    const endpoint = await endpointWith({
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxEventsPerSecond: MOST_EVENTS,
      trustedProxies: ["127.0.0.1"],
      onEvent: (event) => events.push(event),
    })
    const handler = async (request: Request): Promise<Response> => {
      const { number } = (await request.json()) as { number: number }
      carriedOut.set(number, (carriedOut.get(number) ?? 0) + 1)
      return Response.json({ number })
    }
    server.on("request", createListener(endpoint, handler))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** A client that works, one request after another; gives the numbers that came back. */
  async function work(origin: string, at: number): Promise<number[]> {
    const headers = { "x-forwarded-for": `192.0.2.${at}`, "x-forwarded-proto": "https" }
    const client = createClient({
      baseUrl: ORIGIN,
      keys: (await serverKey()).publicKey,
      retry: { attempts: 1 },
      fetch: (url, init) => {
        const all = new Headers([...new Headers(init.headers), ...Object.entries(headers)])
        return fetch(origin + new URL(String(url)).pathname, { ...init, headers: all })
      },
    })
    const numbers = []
    for (let count = 0; count < EACH; count++) {
      const body = JSON.stringify({ number: at * EACH + count })
      const response = await client.fetch(PATH, { method: "POST", body })
      numbers.push(((await response.json()) as { number: number }).number)
    }
    return numbers
  }

  /** Sends bad requests until the clients are done, and no fewer than some. */
  async function flow(origin: string, flood: Flood, isDone: () => boolean): Promise<void> {
    while (!isDone() || answers.length < LEAST_BAD) {
      const bad = flood.next()
      const status = await sendFlood(origin + PATH, bad, `198.51.100.${answers.length % 250}`, agent)
      answers.push({ kind: bad.kind, status })
    }
  }

  beforeAll(async () => {
    const origin = await listen()
    const { publicKey } = await serverKey()
    const flood = await makeFlood({
      origin: ORIGIN,
      path: PATH,
      publicKey,
      maxMessageBytes: MAX_MESSAGE_BYTES,
    })
    originals = await Promise.all(
      flood.originals.map((body) =>
        sendFlood(origin + PATH, { body, saysBytes: body.length }, "192.0.2.1", agent),
      ),
    )
    let isDone = false
    const flowing = Array.from({ length: BAD_AT_ONCE }, () => flow(origin, flood, () => isDone))
    const working = Array.from({ length: CLIENTS }, (_, at) => work(origin, at))
    answered = (await Promise.all(working)).flat()
    isDone = true
    await Promise.all(flowing)
    await new Promise((resolve) => setTimeout(resolve, SUMMARY_MS))
  }, 60_000)
  afterAll(() => {
    agent.destroy()
    server.close()
    server.closeAllConnections()
  })

  it("keeps no good request from its answer, and has each carried out once", () => {
    expect(answered).toEqual(Array.from({ length: CLIENTS * EACH }, (_, number) => number))
    for (const number of answered) expect(carriedOut.get(number)).toBe(1)
  })

  it("is refused to the last request, by kind, and reaches no handler", () => {
    expect(answers.length).toBeGreaterThanOrEqual(LEAST_BAD)
    const wrong = answers.filter(({ kind, status }) => status !== BAD_KINDS[kind])
    expect(wrong).toEqual([])
    expect(new Set(answers.map(({ kind }) => kind)).size).toBe(Object.keys(BAD_KINDS).length)
    // what is replayed was let in once
    expect(carriedOut.get(-1)).toBe(originals.filter((status) => status === 200).length)
    expect(carriedOut.size).toBe(CLIENTS * EACH + 1)
  })

  it("is told in few events, none of which is lost from the counts", () => {
    const perSecond = new Map<string, number>()
    const total = { refused: 0, problem: 0, answered: 0 }
    for (const event of events) {
      if (event.type === "suppressed") total[event.of as keyof typeof total] += event.count
      else if (event.type in total) total[event.type as keyof typeof total]++
      const name = `${event.type} ${Math.floor(event.at / 1000)}`
      perSecond.set(name, (perSecond.get(name) ?? 0) + 1)
    }
    const replays = answers.filter(({ kind }) => kind === "replayed").length
    expect(total).toEqual({
      refused: answers.length - replays,
      problem: replays,
      answered: CLIENTS * EACH + originals.length,
    })
    // two of the limiter's seconds touch one of the clock's
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(2 * MOST_EVENTS)
  })
})
