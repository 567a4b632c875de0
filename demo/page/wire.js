/**
 * The network, with somebody on the way: every request and answer passes here as bytes, and this is all that such a one has.
 * Passed to the client as its `fetch`.
 */

/**
 * @typedef {object} Passing A request on the way.
 * @property {string} url
 * @property {string} method
 * @property {[name: string, value: string][]} headers
 * @property {string | undefined} body
 */

/**
 * @typedef {object} PassingAnswer An answer on the way.
 * @property {number} status
 * @property {[name: string, value: string][]} headers
 * @property {string} body
 */

/** @typedef {{ request: Passing, answer: PassingAnswer }} Passed A request and its answer. */

const ENVELOPE_HEADER = "sealwire"

/**
 * @param {string} url
 * @param {RequestInit} init
 * @returns {Passing}
 */
function passing(url, { method = "GET", headers, body }) {
  return {
    url,
    method,
    headers: [...new Headers(headers)],
    body: typeof body === "string" ? body : undefined,
  }
}

/**
 * The envelope in a request; undefined for one that is not sealed, such as that for the key directory.
 *
 * @param {Passing} request
 */
export function envelopeOf({ headers, body }) {
  return body ?? headers.find(([name]) => name === ENVELOPE_HEADER)?.[1]
}

/**
 * The same request with another envelope.
 *
 * @param {Passing} request
 * @param {string} envelope
 * @returns {Passing}
 */
export function withEnvelope(request, envelope) {
  if (request.body !== undefined) return { ...request, body: envelope }
  const others = request.headers.filter(([name]) => name !== ENVELOPE_HEADER)
  return { ...request, headers: [...others, [ENVELOPE_HEADER, envelope]] }
}

/**
 * The same request with one character in the middle of its ciphertext changed.
 *
 * @param {Passing} request
 */
export function tampered(request) {
  const [header, key, iv, ciphertext = "", tag] = (envelopeOf(request) ?? "").split(".")
  const at = Math.floor(ciphertext.length / 2)
  const other = ciphertext[at] === "A" ? "B" : "A"
  const changed = ciphertext.slice(0, at) + other + ciphertext.slice(at + 1)
  return withEnvelope(request, [header, key, iv, changed, tag].join("."))
}

/**
 * What an envelope shows to everybody.
 *
 * @param {string} envelope
 * @returns {{ iat: number } & Record<string, unknown>}
 */
export function headerOf(envelope) {
  const base64 = (envelope.split(".")[0] ?? "").replaceAll("-", "+").replaceAll("_", "/")
  return JSON.parse(atob(base64))
}

/**
 * When a sealed request will be too old for a server, in Unix milliseconds. Its time is in clear, to the second.
 *
 * @param {Passing} request
 * @param {number} maxAgeSeconds
 */
export const staleAtMs = (request, maxAgeSeconds) =>
  (headerOf(envelopeOf(request) ?? "").iat + maxAgeSeconds + 1) * 1000

/** @param {PassingAnswer} answer */
export const contentTypeOf = ({ headers }) => headers.find(([name]) => name === "content-type")?.[1] ?? "none"

/**
 * @param {Response} response
 * @returns {Promise<PassingAnswer>}
 */
async function answerOf(response) {
  return { status: response.status, headers: [...response.headers], body: await response.text() }
}

/**
 * Sends a request as it is: what anybody who has its bytes can do.
 *
 * @param {Passing} request
 */
export async function deliver({ url, method, headers, body }) {
  const init = {
    method,
    headers,
    cache: /** @type {const} */ ("no-store"),
    redirect: /** @type {const} */ ("manual"),
  }
  return answerOf(await fetch(url, body === undefined ? init : { ...init, body }))
}

/**
 * Makes the network.
 *
 * @param {(request: Passing, answer: PassingAnswer) => void} onPass - Told of each request that got through, and its answer.
 */
export function createWire(onPass) {
  /** @type {((request: Passing) => void) | undefined} */
  let catchNext
  let losesNext = false

  /** @type {(url: string, init: RequestInit) => Promise<Response>} */
  async function throughHere(url, init) {
    const request = passing(url, init)
    const isSealed = envelopeOf(request) !== undefined
    if (isSealed && catchNext) {
      catchNext(request)
      catchNext = undefined
      return new Promise(() => undefined)
    }
    const response = await fetch(url, init)
    onPass(request, await answerOf(response.clone()))
    if (isSealed && losesNext) {
      losesNext = false
      throw new TypeError("the connection was lost")
    }
    return response
  }

  return {
    fetch: throughHere,
    /** Catches the next sealed request: it is not delivered, and never answered. */
    hold: () => new Promise((/** @type {(request: Passing) => void} */ resolve) => (catchNext = resolve)),
    /** Delivers the next sealed request, and loses the answer. */
    loseNextAnswer() {
      losesNext = true
    },
  }
}
