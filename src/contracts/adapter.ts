/**
 * What every adapter must do: hand on what was sealed, answer with what the application says, and let nothing else through.
 * For any test runner; over a real server and connection, since that is where adapters differ.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import {
  type AdapterApp,
  type AdapterContractOptions,
  type AdapterRequest,
  type AdapterResponse,
  soon,
  type Wire,
  withWire,
} from "./adapter-wire.ts"
import { assert, type ContractCase } from "./assert.ts"

const encoder = new TextEncoder()
const LONG = "0123456789abcdef".repeat(65_536)
const COOKIES = ["a=1; Path=/", "b=2; HttpOnly"]

async function* once(text: string): AsyncGenerator<Uint8Array> {
  if (text !== "") yield encoder.encode(text)
}

function answering(
  text: string,
  status = 200,
  headers: AdapterResponse["headers"] = [["content-type", "text/plain"]],
): AdapterApp {
  return async () => ({ status, headers, chunks: once(text) })
}

function assertSame(found: unknown, expected: unknown, what: string): void {
  const [actual, wanted] = [JSON.stringify(found), JSON.stringify(expected)]
  assert(actual === wanted, `${what} to be ${wanted}, not ${actual}`)
}

interface Case {
  readonly app: AdapterApp
  readonly check: (wire: Wire) => Promise<void>
}

/** An application that notes what it was asked. */
function noting(): { readonly app: AdapterApp; readonly asked: AdapterRequest[] } {
  const asked: AdapterRequest[] = []
  const answer = answering("ok")
  return { asked, app: (request) => (asked.push(request), answer(request)) }
}

function handsOn(): Case {
  const { app, asked } = noting()
  return {
    app,
    async check(wire) {
      wire.outer = { authorization: "Basic b3V0ZXI6", cookie: "outer=1" }
      const headers = { "content-type": "application/json", "x-request-id": "r-1", "x-inner": "1" }
      await wire.ask("/items?draft=1&x=%C3%BC", { method: "POST", headers, body: '{"grüße":1}' })
      const { method, path, headers: found, body, sealed, requestId } = asked[0] ?? ({} as AdapterRequest)
      assertSame([method, path, body], ["POST", "/items?draft=1&x=%C3%BC", '{"grüße":1}'], "the request")
      assertSame([sealed, requestId], [true, "r-1"], "what is told of the request")
      assertSame([found["content-type"], found["x-inner"]], ["application/json", "1"], "its headers")
      assertSame([found["authorization"], found["cookie"]], [undefined, undefined], "headers from outside")
      assertSame(asked.length, 1, "the number of requests")
    },
  }
}

function withoutBody(method: string, status: number): Case {
  return {
    app: answering("", status, [
      ["etag", '"1"'],
      ["x-mark", "m"],
    ]),
    async check({ ask }) {
      const answer = await ask("/items/1", { method })
      assertSame([answer.status, answer.headers.get("x-mark")], [status, "m"], `the answer to ${method}`)
      assertSame(await answer.text(), "", `the body of the answer to ${method}`)
    },
  }
}

const cookies: Case = {
  app: answering(
    "set",
    200,
    COOKIES.map((cookie) => ["set-cookie", cookie]),
  ),
  async check({ ask, exchanges }) {
    const answer = await ask("/login", { method: "POST" })
    assertSame(exchanges[0]?.answer.headers.getSetCookie(), COOKIES, "the cookies outside")
    assertSame(answer.headers.has("set-cookie"), false, "a cookie inside")
  },
}

const long: Case = {
  app: async ({ body }) => ({
    status: 200,
    headers: [["x-length", String(body.length)]],
    chunks: once(LONG),
  }),
  async check({ ask }) {
    const answer = await ask("/files", { method: "POST", body: LONG.slice(0, 90_000) })
    assertSame(answer.headers.get("x-length"), "90000", "the length of the body that arrived")
    assert((await answer.text()) === LONG, "a long answer to arrive whole")
  },
}

function streamed(): Case {
  let goOn: (() => void) | undefined
  const read = new Promise<void>((resolve) => (goOn = resolve))
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield encoder.encode("one\n")
    await read
    yield encoder.encode("two\n")
  }
  return {
    app: async () => ({ status: 200, headers: [["content-type", "text/event-stream"]], chunks: chunks() }),
    async check({ ask }) {
      const answer = await soon(ask("/events"), "the head of a stream before its end")
      const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
      const first = await soon(Promise.resolve(reader?.read()), "the first part of a stream before its end")
      goOn?.()
      let text = first?.value ?? ""
      for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
        text += part.value
      assertSame(text, "one\ntwo\n", "a streamed answer")
    },
  }
}

const failing: Case = {
  app: async ({ path }) => {
    if (path === "/fail") throw new Error("secret detail")
    return { status: 404, headers: [], chunks: once("no such page") }
  },
  async check({ ask, exchanges }) {
    assertSame((await ask("/nowhere")).status, 404, "the application's own status")
    const failed = await ask("/fail")
    assertSame(failed.status, 500, "the status of a failure")
    assert(!(await failed.text()).includes("secret"), "a failure not to tell its error")
    const types = exchanges.map(({ answer }) => answer.headers.get("content-type"))
    assertSame(types, ["application/jose", "application/jose"], "the outer types")
  },
}

function copied(): Case {
  const { app, asked } = noting()
  return {
    app,
    async check({ ask, exchanges }) {
      await ask("/transfers", { method: "POST", body: "{}" })
      const [{ url, init } = { url: "", init: {} }] = exchanges
      const copy = await fetch(url, init)
      assertSame(copy.headers.get("content-type"), "application/jose", "the type of the answer to a copy")
      assertSame(asked.length, 1, "the number of requests that the application saw")
    },
  }
}

function unopened(): Case {
  const { app, asked } = noting()
  return {
    app,
    async check({ ask, url, exchanges }) {
      await ask("/transfers", { method: "POST", body: "{}" })
      const envelope = exchanges[0]?.init.body
      if (typeof envelope !== "string") throw new Error("expected the envelope to be sent in the body")
      const headers = { "content-type": "application/jose" }
      const bodies = [envelope.slice(0, -1), `${envelope}.`, "a.b.c.d.e", "x", "\u00e4"]
      const answers = []
      for (const body of bodies) {
        const answer = await fetch(`${url}/transfers`, { method: "POST", headers, body })
        answers.push([answer.status, answer.headers.get("content-type"), await answer.text()])
      }
      const plain = await fetch(`${url}/transfers`)
      answers.push([plain.status, plain.headers.get("content-type"), await plain.text()])
      for (const answer of answers) assertSame(answer, answers[0], "every refusal")
      assertSame([answers[0]?.[0], asked.length], [400, 1], "its status, and the requests that came through")
    },
  }
}

function open(): Case {
  const { app, asked } = noting()
  return {
    app,
    async check({ ask, url }) {
      const answer = await fetch(`${url}/open`)
      assertSame([answer.status, await answer.text()], [200, "ok"], "the answer to an open request")
      await ask("/open")
      const told = asked.map(({ sealed }) => sealed === true)
      assertSame(told, [false, true], "whether the requests are told to be sealed")
    },
  }
}

/** What is on the way is a few megabytes: buffers of the kernel, and of both ends. */
const MOST_ON_THE_WAY_BYTES = 32 * 1024 * 1024

function endless(): Case {
  const chunk = new Uint8Array(65_536)
  let taken = 0
  let leave: (() => void) | undefined
  const left = new Promise<void>((resolve) => (leave = resolve))
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        taken += chunk.length
        yield chunk
      }
    } finally {
      leave?.()
    }
  }
  return {
    app: async () => ({ status: 200, headers: [["content-type", "text/event-stream"]], chunks: chunks() }),
    async check({ ask }) {
      const answer = await ask("/endless")
      for (let before = -1; before !== taken && taken < MOST_ON_THE_WAY_BYTES;) {
        before = taken
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      assert(taken < MOST_ON_THE_WAY_BYTES, "no more to be taken than the peer takes")
      await answer.body?.cancel()
      await soon(left, "the application to be told that its peer has gone")
    },
  }
}

const CASES: Readonly<Record<string, () => Case>> = {
  "hands on what was sealed, and nothing from outside": handsOn,
  "answers GET and 304 without a body": () => withoutBody("GET", 304),
  "answers HEAD without a body": () => withoutBody("HEAD", 200),
  "answers DELETE with 204": () => withoutBody("DELETE", 204),
  "keeps cookies outside, each by itself": () => cookies,
  "takes a long body, and gives a long answer, whole": () => long,
  "streams an answer that does not end soon": streamed,
  "seals the application's 404 and failures, without the error": () => failing,
  "asks the application once for a request and its copy": copied,
  "refuses what cannot be opened by one answer": unopened,
  "lets an open request pass to a low route": open,
  "takes no more from the application than the peer does, and tells it when he goes": endless,
}

/**
 * The cases that an adapter must pass: a few seconds, on a platform with `fetch` that may connect to the server.
 *
 * An adapter that buffers streams fails them, as does one that joins cookies, shows the application outer headers, or goes on
 * when the peer has gone. docs/guides/adapter-authors.md has an example.
 */
export function adapterContract(options: AdapterContractOptions): ContractCase[] {
  assertOptions(options, "options", ["start", "client"])
  return Object.entries(CASES).map(([name, create]) => ({
    name,
    async run() {
      const { app, check } = create()
      await withWire(options, app, check)
    },
  }))
}
