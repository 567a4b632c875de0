/**
 * Whoever records what a server of sessions receives, and later gets an image of its memory. And the client, who knows every secret.
 *
 * @module
 */

import { type ChildProcess, fork } from "node:child_process"
import { createDecipheriv, createHash, createSecretKey } from "node:crypto"
import { once } from "node:events"

import { decodeBase64url } from "#base64url"
import { backend } from "#backend"

import { type Bytes, concat } from "../../src/base/bytes.ts"
import { encodeAscii, label } from "../../src/base/text.ts"
import type { Jwk } from "../../src/crypto/backend.ts"
import { shortHmac } from "../../src/crypto/node-hash.ts"
import { readContext } from "../../src/envelope/context.ts"
import { exportSecret } from "../../src/envelope/exporter.ts"
import { exportJwk } from "../../src/keys/export-jwk.ts"
import { exportPem } from "../../src/keys/export.ts"
import { materialOf } from "../../src/keys/key.ts"
import { generateSigningKeyPair } from "../../src/keys/signer.ts"
import { sayHello, sealOpening } from "../../src/session/handshake.ts"
import { sealInSession } from "../../src/session/message.ts"
import type { Offer } from "../../src/session/offer.ts"
import { type SecretBytes, sessionSecretOf } from "../../src/session/secret.ts"
import { bundleForProcess } from "./claim-processes.ts"
import { type MemoryImage, readMemory } from "./process-memory.ts"
import type { VictimAnswer, VictimQuestion } from "./session-victim.ts"
import { VICTIM_ORIGIN } from "./session-victim-terms.ts"

/** A session that is open, as its client knows it. */
export interface KnownSession {
  readonly offer: Offer
  readonly secret: SecretBytes
  /** The opening as it was recorded. */
  readonly opening: string
  /** Whoever has one of these can open every message of the session, by what was recorded. */
  readonly openers: Readonly<Record<"secret" | "opening's seed" | "opening's key" | "opening's X", Bytes>>
}

/** A message as it was recorded, and what would open it alone. */
export interface KnownMessage {
  readonly envelope: string
  readonly contentKey: Bytes
}

/** A server process, and its clients. */
export interface Victim {
  /** The private half of its identity key, which is stolen as well. */
  readonly identitySecret: Bytes
  /** Asks for an offer, and waits with its opening. */
  offer(): Promise<{ readonly modulus: Bytes; open(): Promise<KnownSession> }>
  send(session: KnownSession, text: string): Promise<KnownMessage>
  ask(question: VictimQuestion): Promise<string>
  /** The process's memory while it rests. */
  image(): MemoryImage
  close(): Promise<void>
}

class Process implements Victim {
  readonly identitySecret: Bytes
  readonly #child: ChildProcess
  readonly #pin: string
  readonly #remove: () => void
  #passedSeconds = 0

  constructor(child: ChildProcess, { kid, d }: Jwk, remove: () => void) {
    this.#child = child
    this.#pin = String(kid)
    this.identitySecret = decodeBase64url(String(d)) ?? new Uint8Array(0)
    this.#remove = remove
  }

  async ask(question: VictimQuestion): Promise<string> {
    if (question.do === "pass") this.#passedSeconds += question.seconds
    this.#child.send(question)
    const [answer] = (await once(this.#child, "message")) as [VictimAnswer]
    if ("failure" in answer) throw new Error(answer.failure)
    return answer.text
  }

  async offer(): ReturnType<Victim["offer"]> {
    const hello = sayHello(backend, { pins: [this.#pin], origin: VICTIM_ORIGIN })
    const text = await this.ask({ do: "offer", text: hello.text })
    const { offer } = await hello.readOffer(text, this.#nowSeconds())
    const { jwk } = materialOf(offer.key, "public", "key")
    const modulus = decodeBase64url((jwk as { n?: string }).n ?? "") ?? new Uint8Array(0)
    return { modulus, open: () => this.#open(offer, text) }
  }

  async #open(offer: Offer, text: string): Promise<KnownSession> {
    const seed = backend.randomBytes(32)
    const contentKey = backend.randomBytes(32)
    const given = { seed, contentKey, issuedAtSeconds: this.#nowSeconds() }
    const end = await sealOpening(offer, text, undefined, given)
    await this.ask({ do: "open", id: offer.sessionId, text: end.envelope })
    const secret = await sessionSecretOf(end)
    const openers = {
      secret: new Uint8Array(secret.bytes ?? []),
      "opening's seed": seed,
      "opening's key": contentKey,
      "opening's X": await exportSecret(backend, encodeAscii(end.envelope), seed),
    }
    return { offer, secret, opening: end.envelope, openers }
  }

  async send({ offer, secret }: KnownSession, text: string): Promise<KnownMessage> {
    const { sessionId, wrap, key } = offer
    const { envelope } = await sealInSession(
      { backend, sessionId, wrap, key, secret },
      { message: encodeAscii(text), context: readContext("") },
      { issuedAtSeconds: this.#nowSeconds() },
    )
    await this.ask({ do: "message", text: envelope })
    return { envelope, contentKey: await secret.expand("message", nonceIn(envelope)) }
  }

  image(): MemoryImage {
    this.#child.kill("SIGSTOP")
    try {
      return readMemory(this.#child.pid ?? 0)
    } finally {
      this.#child.kill("SIGCONT")
    }
  }

  async close(): Promise<void> {
    const exit = once(this.#child, "exit")
    this.#child.kill("SIGKILL")
    await exit
    this.#remove()
  }

  #nowSeconds(): number {
    return Math.floor(Date.now() / 1000) + this.#passedSeconds
  }
}

/** Starts a server. */
export async function startVictim(): Promise<Victim> {
  const { signingKey } = await generateSigningKeyPair({ extractable: true })
  // what tells its secrets keeps copies of them
  const { path, remove } = await bundleForProcess("./session-victim.ts", "src/crypto/node.ts")
  const child = fork(path, [await exportPem(signingKey)], { execArgv: ["--expose-gc"] })
  await once(child, "message")
  return new Process(child, await exportJwk(signingKey), remove)
}

function nonceIn(envelope: string): Bytes {
  const header = Buffer.from(envelope.split(".")[0] ?? "", "base64url").toString()
  return decodeBase64url((JSON.parse(header) as { jti: string }).jti) ?? new Uint8Array(0)
}

const ONE = new Uint8Array([1])
const NOTHING = Buffer.alloc(0)
/** Where arrays of bytes begin, in V8's heap and outside of it. */
const ALIGNMENT = 8

/** An envelope without a signature, as it was recorded. */
class Recorded {
  readonly #parts: readonly Buffer[]
  readonly nonce: Bytes
  readonly hash: Bytes

  constructor(envelope: string) {
    const [header = "", , ...rest] = envelope.split(".")
    this.#parts = [Buffer.from(header), ...rest.map((part) => Buffer.from(part, "base64url"))]
    this.nonce = nonceIn(envelope)
    this.hash = new Uint8Array(createHash("sha256").update(envelope).digest())
  }

  /** The plaintext under a content key; undefined under any other. */
  decrypt(key: Uint8Array): Buffer | undefined {
    const [header = NOTHING, iv = NOTHING, ciphertext = NOTHING, tag = NOTHING] = this.#parts
    // a KeyObject, or Node 24 throws an error inside for each key
    const decipher = createDecipheriv("aes-256-gcm", createSecretKey(key), iv).setAAD(header).setAuthTag(tag)
    const plaintext = decipher.update(ciphertext)
    // the length of the signature: spares most wrong keys the error, which costs more than all the rest
    if (plaintext.readUInt16BE(64) !== 0) return undefined
    try {
      decipher.final()
      return plaintext
    } catch {
      return undefined
    }
  }
}

/** Whether bytes may be a key: as many different ones as random bytes have, and no text. */
function mayBeKey(bytes: Uint8Array): boolean {
  let zeros = 0
  let high = 0
  for (const byte of bytes) {
    if (byte === 0 && ++zeros > 2) return false
    high += byte >> 7
  }
  return high >= 5 && high <= 27 && new Set(bytes).size >= 24
}

/** Places that may hold a key. */
function* candidates(image: MemoryImage, alignment: number): Generator<Bytes> {
  for (const { bytes } of image) {
    for (let at = 0; at + 32 <= bytes.length; at += alignment) {
      // pointers and small numbers begin or end with zeros
      if (bytes[at] === 0 && bytes[at + 1] === 0) continue
      if (bytes[at + 6] === 0 && bytes[at + 7] === 0) continue
      const window = bytes.subarray(at, at + 32)
      if (mayBeKey(window)) yield window
    }
  }
}

/**
 * Tries every place in an image as each of the secrets that open a recorded message: its content key, the session's secret, and the
 * opening's X, seed and content key. Gives the message.
 */
export function stealMessage(
  image: MemoryImage,
  { opening, envelope }: { readonly opening: string; readonly envelope: string },
  alignment: number = ALIGNMENT,
): string | undefined {
  const first = new Recorded(opening)
  const message = new Recorded(envelope)
  const messageLabel = concat(label("message"), message.nonce, ONE)
  const sessionLabel = concat(label("session"), ONE)
  const bySecret = (secret: Bytes): Buffer | undefined => message.decrypt(shortHmac(secret, messageLabel))
  const byExported = (exported: Bytes): Buffer | undefined => bySecret(shortHmac(exported, sessionLabel))
  const bySeed = (seed: Bytes): Buffer | undefined => byExported(shortHmac(first.hash, seed))
  for (const window of candidates(image, alignment)) {
    const opened = first.decrypt(window)
    const plaintext =
      message.decrypt(window) ??
      bySecret(window) ??
      byExported(window) ??
      bySeed(window) ??
      (opened && bySeed(new Uint8Array(opened.subarray(32, 64))))
    if (plaintext) return plaintext.subarray(66).toString()
  }
  return undefined
}
