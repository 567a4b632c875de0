/** The control of the watch over all tests: each kind of secret, in each place, is found when it is leaked on purpose. */

import { format, inspect } from "node:util"

import { afterEach, beforeAll, describe, expect, it } from "vitest"

import { createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { SealwireError } from "../../src/base/errors.ts"
import { emitterOf } from "../../src/client/events.ts"
import { expand } from "../../src/crypto/derive.ts"
import { backend } from "../../src/crypto/node.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { open, seal } from "../../src/index.ts"
import { report } from "../../src/key-ring/events.ts"
import { exportJwk, generateKeyPair, generateSigningKeyPair } from "../../src/keys.ts"
import { canaries, type Finding } from "../support/canaries.ts"
import { forge, MESSAGE, SEED } from "../support/forge.ts"
import { createReader, errorOf, openNow } from "../support/reader.ts"
import { endpointWith, freshGuard, ORIGIN, sealedRequest } from "../support/sealed-http.ts"
import { knownAnswers } from "../support/vectors.ts"

const PLAINTEXT = "what only the two ends may read"

/** By name, each as bytes. */
const secrets: Record<string, Buffer> = {}

async function privateMember(key: Parameters<typeof exportJwk>[0]): Promise<Buffer> {
  return Buffer.from(String((await exportJwk(key))["d"]), "base64url")
}

/** Content keys, session secrets and what is derived, as each backend makes them. */
async function plantDerived(): Promise<void> {
  const aad = new Uint8Array(0)
  for (const each of [backend, web, noble]) {
    const [key, wrong, secret] = [each.randomBytes(32), each.randomBytes(32), each.randomBytes(32)]
    const plaintext = new Uint8Array(66)
    const sealed = await each.sealAesGcm(key, each.randomBytes(12), aad, plaintext)
    secrets[`a content key of ${each.name}`] = Buffer.from(key)
    await errorOf((async () => each.openAesGcm(wrong, each.randomBytes(12), aad, sealed))())
    secrets[`a content key that did not open, of ${each.name}`] = Buffer.from(wrong)
    const session = await expand(each, secret, "session", aad)
    secrets[`an exported secret of ${each.name}`] = Buffer.from(secret)
    secrets[`a session secret of ${each.name}`] = Buffer.from(session)
    secrets[`a key of a session of ${each.name}`] = Buffer.from(await expand(each, session, "message", aad))
  }
  const guard = freshGuard()
  const { publicKey, privateKey } = await generateKeyPair({ modulusBits: 2048 })
  const head = '{"headers":[["authorization","Bearer tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0"]],"method":"GET"}'
  const message = Buffer.concat([
    Buffer.from([0, 0, 0, head.length]),
    Buffer.from(`${head}body of a request`),
  ])
  await open(await seal(message, { to: publicKey }), { with: privateKey, replay: guard })
  secrets["a credential"] = Buffer.from("9f8e7d6c5b4a39281706f5e4d3c2b1a0")
  secrets["a body"] = Buffer.from("body of a request")
}

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair({ modulusBits: 2048, extractable: true })
  secrets["an RSA key"] = await privateMember(privateKey)
  for (const algorithm of ["Ed25519", "ES256"] as const) {
    const { signingKey } = await generateSigningKeyPair({ algorithm, extractable: true })
    secrets[`a key for ${algorithm}`] = await privateMember(signingKey)
  }
  secrets["a key of the vectors"] = Buffer.from(String(knownAnswers.recipient["p"]), "base64url")
  secrets["a seed of the vectors"] = Buffer.from(knownAnswers.cases[0]?.seed ?? "", "hex")
  const { key } = await createApiKeys({ store: memoryApiKeyStore() }).create({ principal: "acme" })
  secrets["an API key"] = Buffer.from(key)
  await seal(PLAINTEXT, { to: publicKey })
  secrets["a sealed message"] = Buffer.from(PLAINTEXT)
  await openNow(await createReader(backend), forge())
  secrets["a message that was opened"] = Buffer.from(MESSAGE)
  secrets["a seed that was opened"] = SEED
  await plantDerived()
})

/** By name of a spelling: a text with the secret in it, somewhere among others. */
const SPELLINGS: Readonly<Record<string, (secret: Buffer) => string>> = {
  text: (secret) => `key=${secret.toString("latin1")}.`,
  hex: (secret) => secret.toString("hex"),
  "base64 within more": (secret) => Buffer.concat([Buffer.from("a"), secret]).toString("base64"),
  "base64url within more": (secret) => Buffer.concat([Buffer.from("ab"), secret]).toString("base64url"),
  "an array": (secret) => format("%o", [...secret]),
  "a buffer": (secret) => JSON.stringify(secret),
  "an array's JSON": (secret) => JSON.stringify({ key: new Uint8Array(secret) }),
  "an array by inspect": (secret) => inspect({ key: new Uint8Array(secret) }),
  "a buffer by inspect": (secret) => inspect(secret.subarray(0, 48)),
  "an escaped string": (secret) => JSON.stringify({ key: secret.toString("latin1") }),
  "a string by inspect": (secret) => inspect({ key: secret.toString("latin1") }),
  "hex with colons": (secret) => secret.toString("hex").replaceAll(/(..)/g, "$1:"),
}

type Leak = (text: string) => unknown

/** By name of a place: says a text there. */
const PLACES: Readonly<Record<string, Leak>> = {
  "console.log": (text) => {
    console.log({ deep: { text } })
  },
  "console.warn": (text) => {
    console.warn("%s", text)
  },
  stderr: (text) => process.stderr.write(`${text}\n`),
  "error Error": (text) => new SealwireError("ERR_KEY", text),
  "error Error: cause": (text) => new SealwireError("ERR_KEY", "x", { cause: new TypeError(text) }),
  "error Error: member": (text) => Object.assign(new SealwireError("ERR_KEY", "x"), { key: text }),
  "error RangeError": (text) => new RangeError(text),
  "event failed of a key ring": (text) => report(undefined, { type: "failed", error: new Error(text) }),
  "event directory-failed of a client": (text) => {
    emitterOf(undefined)({ type: "directory-failed", error: text } as never)
  },
}

const found = (): readonly Finding[] => canaries.takeFindings()

afterEach(() => {
  found()
})

describe("the watch over all tests", () => {
  it("finds each kind of secret, in each spelling", () => {
    for (const [name, secret] of Object.entries(secrets)) {
      for (const [spelling, write] of Object.entries(SPELLINGS)) {
        canaries.search("here", write(secret))
        expect(found().length, `${name} as ${spelling}`).toBe(1)
      }
    }
  })

  it.each(Object.entries(PLACES))("finds a secret in %s", async (place, leak) => {
    await leak(secrets["an API key"]?.toString() ?? "")
    expect(found().map((finding) => finding.place)).toContain(place.split(":")[0])
  })

  it("finds a secret in an endpoint's events and in the headers of its answers", async () => {
    const key = secrets["an API key"]?.toString() ?? ""
    const endpoint = await endpointWith({
      outerResponseHeaders: ["x-debug"],
      onEvent: () => undefined,
    })
    const { request } = await sealedRequest({ headers: [["x-request-id", key]] })
    await endpoint.handle(request, () => new Response("", { headers: { "x-debug": key } }))
    const places = found().map(({ place }) => place)
    expect(places).toContain("event answered of an endpoint")
    expect(places).toContain("response header x-debug")
  })

  it("finds nothing in what says nothing, nor in what is public", async () => {
    const { publicKey, privateKey } = await generateKeyPair({ modulusBits: 2048 })
    const envelope = await seal(PLAINTEXT, { to: publicKey, context: ORIGIN })
    const opened = await open(envelope, { with: privateKey, context: ORIGIN, replay: freshGuard() })
    for (const value of [envelope, opened, publicKey, privateKey, await exportJwk(publicKey)]) {
      canaries.searchValue("here", value)
    }
    canaries.search("here", "0".repeat(1000))
    expect(found()).toEqual([])
  })

  it("does not watch what is short, or says nothing", () => {
    const short = Buffer.from("0123456789abcde")
    const dull = [short, new Uint8Array(32), new Uint8Array(32).fill(7), Buffer.from("abcd".repeat(8))]
    for (const each of dull) {
      canaries.plantSecret("dull", each)
      canaries.plantText("dull", each)
      for (const write of Object.values(SPELLINGS)) canaries.search("here", write(Buffer.from(each)))
    }
    expect(found()).toEqual([])
  })

  it("was there before this file, and looked", () => {
    expect(canaries.counts.canaries).toBeGreaterThan(100)
    expect(canaries.counts.searches).toBeGreaterThan(10)
  })
})
