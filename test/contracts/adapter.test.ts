import { createServer } from "node:http"

import { expect, it } from "vitest"

import { createListener } from "../../src/adapters/node.ts"
import { createClient } from "../../src/client.ts"
import { dangerouslyAcceptReplays } from "../../src/index.ts"
import type { EndpointOptions, Handler } from "../../src/server.ts"
import { type AdapterApp, adapterContract, type AdapterRequest } from "../../src/testing.ts"
import { listen, type Running } from "../adapters/kinds.ts"
import { endpointWith, ORIGIN, serverKey } from "../support/sealed-http.ts"

/** An adapter over Web requests, and what a fault changes in it. */
interface Fault {
  readonly endpoint?: Partial<EndpointOptions>
  readonly request?: (request: AdapterRequest) => AdapterRequest
  readonly response?: (response: Response) => Response
  readonly onError?: (error: unknown) => Response
}

const ROUTES = { "/open": "low", "/**": "medium" } as const

async function start(app: AdapterApp, fault: Fault): Promise<Running> {
  const { endpoint, request: change = (it) => it, response: spoil = (it) => it, onError } = fault
  const handler: Handler = async (request, { sealed, requestId }) => {
    const { method, url, headers } = request
    const path = new URL(url).pathname + new URL(url).search
    const body = await request.text()
    const asked = { method, path, headers: Object.fromEntries(headers), body, sealed, requestId }
    try {
      const answer = await app(change(asked))
      let text = ""
      for await (const chunk of answer.chunks) text += new TextDecoder().decode(chunk)
      const lines = answer.headers.map(([name, value]): [string, string] => [name, value])
      const hasBody = method !== "HEAD" && answer.status !== 204 && answer.status !== 304
      return spoil(new Response(hasBody ? text : null, { status: answer.status, headers: lines }))
    } catch (error) {
      if (onError) return onError(error)
      throw error
    }
  }
  const made = await endpointWith({ routes: ROUTES, ...endpoint })
  return listen(createServer(createListener(made, handler, { onError: () => undefined })))
}

function joined(response: Response): Response {
  const headers = new Headers([...response.headers].filter(([name]) => name !== "set-cookie"))
  const all = response.headers.getSetCookie()
  if (all.length > 0) headers.set("set-cookie", all.join(", "))
  return new Response(response.body, { status: response.status, headers })
}

const FAULTS: Readonly<Record<string, readonly [caseName: string, Fault]>> = {
  "shows outer headers to the application": [
    "hands on what was sealed, and nothing from outside",
    { endpoint: { outerRequestHeaders: ["authorization"] } },
  ],
  "loses the query": [
    "hands on what was sealed, and nothing from outside",
    { request: (request) => ({ ...request, path: request.path.split("?")[0] ?? "" }) },
  ],
  "does not tell what is known of a request": [
    "hands on what was sealed, and nothing from outside",
    { request: (request) => ({ ...request, sealed: undefined }) },
  ],
  "joins cookies": ["keeps cookies outside, each by itself", { response: joined }],
  "cuts a long body": [
    "takes a long body, and gives a long answer, whole",
    { request: (request) => ({ ...request, body: request.body.slice(0, 65_536) }) },
  ],
  "tells the error of a failure": [
    "seals the application's 404 and failures, without the error",
    { onError: (error) => new Response(String(error), { status: 500 }) },
  ],
  "loses the headers of an answer": [
    "answers HEAD without a body",
    { response: ({ status }) => new Response(null, { status }) },
  ],
  "takes copies": [
    "asks the application once for a request and its copy",
    { endpoint: { replay: dangerouslyAcceptReplays } },
  ],
  "takes everything open": [
    "refuses what cannot be opened by one answer",
    { endpoint: { routes: { "/**": "low" } } },
  ],
  "takes nothing open": [
    "lets an open request pass to a low route",
    { endpoint: { routes: { "/**": "medium" } } },
  ],
}

function caseOf(name: string, fault: Fault): () => Promise<void> {
  const cases = adapterContract({
    start: (app) => start(app, fault),
    client: async (baseUrl, fetch) => {
      const { publicKey: keys } = await serverKey()
      return createClient({ baseUrl, keys, origin: ORIGIN, fetch, retry: { attempts: 1 } })
    },
  })
  const found = cases.find((each) => each.name === name)
  if (!found) throw new Error(`no case "${name}"`)
  return found.run
}

it.each(Object.entries(FAULTS))("finds an adapter that %s", async (_, [name, fault]) => {
  await caseOf(name, {})()
  await expect(caseOf(name, fault)()).rejects.toThrow(/^expected /)
})

it("finds an adapter that waits for the end of a stream", async () => {
  await expect(caseOf("streams an answer that does not end soon", {})()).rejects.toThrow(/before its end/)
})
