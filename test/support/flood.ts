/**
 * Requests that a server must refuse, of every kind and in numbers, and the way to send them that does not wait for manners.
 *
 * @module
 */

import { randomBytes, randomInt } from "node:crypto"
import { type Agent, request as send } from "node:http"

import { sealTo } from "../../src/envelope/seal.ts"
import { serializeRequest } from "../../src/http/message.ts"
import { httpContext } from "../../src/http/wire.ts"
import { generateKeyPair, type PublicKey } from "../../src/index.ts"

/** What is wrong with a request, and the status that it must get. */
export const BAD_KINDS = {
  garbage: 400,
  truncated: 400,
  replayed: 409,
  tampered: 400,
  "unknown key": 400,
  oversized: 413,
} as const

export type BadKind = keyof typeof BAD_KINDS

/** One bad request. */
export interface BadRequest {
  readonly kind: BadKind
  readonly body: string | Buffer
  /** What its head says of its length; undefined for one that says nothing and is sent in chunks. */
  readonly saysBytes: number | undefined
}

/** What a flood is made of. */
export interface Flood {
  /** Good requests, to be sent once before: from then on they are replays. */
  readonly originals: readonly string[]
  /** The next bad one; the kinds take turns. */
  next(): BadRequest
}

/** Whom it is for, and which route's handler must not run. */
export interface FloodTarget {
  readonly origin: string
  readonly path: string
  readonly publicKey: PublicKey
  /** The server's `maxMessageBytes`. */
  readonly maxMessageBytes: number
}

const ENVELOPES = 100
const OVERSIZED_IN_FULL_EVERY = 10
/** Of a body that is refused by what its head says, this much is sent. */
const SENT_OF_OVERSIZED = 65_536
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

function sealedFor({ origin, path }: FloodTarget, to: PublicKey): Promise<string[]> {
  const body = new TextEncoder().encode('{"number":-1}')
  const headers = [["content-type", "application/json"]] as const
  const message = serializeRequest({ method: "POST", path, headers, body })
  const seal = async (): Promise<string> =>
    (await sealTo(message, { to, context: httpContext(origin) })).envelope
  return Promise.all(Array.from({ length: ENVELOPES }, seal))
}

const oneOf = <Item>(items: readonly Item[]): Item => items[randomInt(items.length)] as Item

/** Changes one character of the ciphertext, so that the private-key operation is spent on it. */
function tamper(envelope: string): string {
  const parts = envelope.split(".")
  const ciphertext = parts[3] ?? ""
  const at = randomInt(ciphertext.length - 1)
  const other = oneOf([...ALPHABET].filter((letter) => letter !== ciphertext[at]))
  parts[3] = ciphertext.slice(0, at) + other + ciphertext.slice(at + 1)
  return parts.join(".")
}

const GARBAGE: readonly (() => string | Buffer)[] = [
  () => randomBytes(randomInt(1, 4096)),
  () => ".".repeat(randomInt(1, 65_536)),
  () => Array.from({ length: 5 }, () => randomBytes(randomInt(1, 300)).toString("base64url")).join("."),
  () => "",
]

/** Makes a flood for one server. */
export async function makeFlood(target: FloodTarget): Promise<Flood> {
  const { publicKey: stranger } = await generateKeyPair({ modulusBits: 2048 })
  const [originals, unsent, forStranger] = await Promise.all([
    sealedFor(target, target.publicKey),
    sealedFor(target, target.publicKey),
    sealedFor(target, stranger),
  ])
  const tooMuch = Buffer.alloc(2 * target.maxMessageBytes, "A")
  let count = 0
  let oversized = 0

  function oversizedRequest(): Omit<BadRequest, "kind"> {
    if (oversized++ % OVERSIZED_IN_FULL_EVERY === 0) return { body: tooMuch, saysBytes: undefined }
    return { body: tooMuch.subarray(0, SENT_OF_OVERSIZED), saysBytes: tooMuch.length }
  }

  const whole = (body: string | Buffer): Omit<BadRequest, "kind"> => ({
    body,
    saysBytes: Buffer.byteLength(body),
  })
  const makers: Readonly<Record<BadKind, () => Omit<BadRequest, "kind">>> = {
    garbage: () => whole(oneOf(GARBAGE)()),
    truncated: () => {
      const envelope = oneOf(unsent)
      return whole(envelope.slice(0, randomInt(1, envelope.length - 1)))
    },
    replayed: () => whole(oneOf(originals)),
    tampered: () => whole(tamper(oneOf(unsent))),
    "unknown key": () => whole(oneOf(forStranger)),
    oversized: oversizedRequest,
  }
  const kinds = Object.keys(makers) as BadKind[]
  return {
    originals,
    next() {
      const kind = kinds[count++ % kinds.length] as BadKind
      return { kind, ...makers[kind]() }
    },
  }
}

/** Sends a request as a proxy that `source` has asked; gives the status, or 0 where the connection was cut. */
export function sendFlood(
  url: string,
  { body, saysBytes }: Omit<BadRequest, "kind">,
  source: string,
  agent: Agent,
): Promise<number> {
  return new Promise((resolve) => {
    const headers = {
      "content-type": "application/jose",
      "x-forwarded-for": source,
      "x-forwarded-proto": "https",
      ...(saysBytes !== undefined && { "content-length": saysBytes }),
    }
    const request = send(url, { method: "POST", headers, agent }, (response) => {
      const { statusCode = 0 } = response
      const isWhole = saysBytes === Buffer.byteLength(body)
      response.resume()
      response.once("error", () => {
        resolve(0)
      })
      response.once("end", () => {
        if (!isWhole) request.destroy()
        resolve(statusCode)
      })
    })
    request.once("error", () => {
      resolve(0)
    })
    request.write(body)
    // of a body that is announced longer than it is sent, the end never comes
    if (saysBytes === undefined || saysBytes === Buffer.byteLength(body)) request.end()
  })
}
