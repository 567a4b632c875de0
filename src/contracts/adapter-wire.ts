/**
 * A server under the adapter's contract, and a client of it that remembers what went over the wire.
 *
 * @module
 */

import type { MaybePromise } from "../crypto/backend.ts"

/** The platform's `fetch`, where there is one. */
export type PlatformFetch = typeof globalThis extends { fetch: infer Fetch } ? Fetch : never

/** A request as the framework shows it to the application behind the adapter. */
export interface AdapterRequest {
  readonly method: string
  /** With query. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
  /** What the adapter tells of the request: whether it came sealed, and its id. Undefined where it tells nothing. */
  readonly sealed: boolean | undefined
  readonly requestId: string | undefined
}

/** What the application answers, for the framework to write. */
export interface AdapterResponse {
  readonly status: number
  /** One pair for each line: a name may occur twice. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** To be written as they come, no faster than they are taken; `return` is called when the peer goes first. */
  readonly chunks: AsyncIterable<Uint8Array>
}

/** The application: asked once for each request that gets through. It may throw, as applications do. */
export type AdapterApp = (request: AdapterRequest) => Promise<AdapterResponse>

/** A server that listens. */
export interface RunningAdapter {
  /** Such as `"http://127.0.0.1:8080"`. */
  readonly url: string
  close(): Promise<void>
}

/** Options of `adapterContract`. */
export interface AdapterContractOptions {
  /**
   * Starts a server with the adapter in front of an application that answers every method and path by `app`. Its endpoint has
   * the routes `{ "/open": "low", "/**": "medium" }`. Called once per case.
   */
  readonly start: (app: AdapterApp) => Promise<RunningAdapter>
  /** A client of that endpoint, as `createClient` makes it, which sends by `fetch`. */
  readonly client: (baseUrl: string, fetch: PlatformFetch) => MaybePromise<{ readonly fetch: PlatformFetch }>
}

/** A request and its answer, as anyone on the way sees them. */
export interface Exchange {
  readonly url: string
  readonly init: RequestInit
  /** A copy of the answer. */
  readonly answer: Response
}

/** What a case works with. */
export interface Wire {
  readonly url: string
  /** Asks sealed. */
  ask(path: string, init?: RequestInit): Promise<Response>
  /** Sealed exchanges so far. */
  readonly exchanges: Exchange[]
  /** Headers that are added outside. */
  outer: Readonly<Record<string, string>>
}

/** Runs a case on a server of its own. */
export async function withWire(
  { start, client }: AdapterContractOptions,
  app: AdapterApp,
  use: (wire: Wire) => Promise<void>,
): Promise<void> {
  const running = await start(app)
  try {
    const exchanges: Exchange[] = []
    const send = async (url: string, given: RequestInit): Promise<Response> => {
      const headers = new Headers(given.headers)
      for (const [name, value] of Object.entries(wire.outer)) headers.set(name, value)
      const { signal, ...init } = { ...given, headers }
      const response = await fetch(url, signal ? { ...init, signal } : init)
      const { status, headers: answered } = response
      // without the body, which a second reader would keep from ending
      exchanges.push({ url, init, answer: new Response(null, { status, headers: answered }) })
      return response
    }
    const sealed = await client(running.url, send as PlatformFetch)
    const wire: Wire = {
      url: running.url,
      ask: (path, init) => sealed.fetch(path, init),
      exchanges,
      outer: {},
    }
    await use(wire)
  } finally {
    await running.close()
  }
}

/** Refuses to wait longer for what should be there at once. */
export async function soon<Result>(work: Promise<Result>, what: string): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected ${what} within 5 s`)), 5000)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
