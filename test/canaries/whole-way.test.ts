/**
 * One marked message goes the whole way, with all that can go wrong on it: nothing that comes out anywhere shows it, nor a key, a seed
 * or an API key. What comes out: the wire, errors with their stacks, events, what stores and files hold, and what `inspect` shows.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { format, inspect } from "node:util"

import { afterAll, afterEach, describe, expect, test } from "vitest"

import { createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { openFields, sealFields } from "../../src/fields.ts"
import { openFile, sealFile } from "../../src/file.ts"
import { createReplayGuard, generateKeyPair, open, seal, sealRequest } from "../../src/index.ts"
import { openKeyRing } from "../../src/key-ring.ts"
import {
  exportProtectedPem,
  generateSigningKeyPair,
  importPrivateKey,
  importProtectedPrivateKey,
} from "../../src/keys.ts"
import { createSessions } from "../../src/session.ts"
import { folderKeyRingStore } from "../../src/stores/folder.ts"
import { redisApiKeyStore } from "../../src/stores/redis.ts"
import { installProgram } from "../cli/sealwire.ts"
import { canaries } from "../support/canaries.ts"
import { createWorld, type Sent, serverIdentity, type WorldOptions } from "../support/client-world.ts"
import { errorOf } from "../support/reader.ts"
import { freshGuard } from "../support/sealed-http.ts"
import { endlessPool } from "../support/session-world.ts"
import { MESSAGE } from "../support/watched-backend.ts"

const MARK = "the marked message: IBAN DE02 1203 0000 0000 2020 51"
const PASSPHRASE = "the passphrase that nobody may see"
canaries.plantText(MESSAGE, MARK)
canaries.plantText("the passphrase", PASSPHRASE)

const folder = mkdtempSync(join(tmpdir(), "sealwire-canaries-"))
const at = (name: string): string => join(folder, name)
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Everything that came out of a test, in each way in which a logger shows it. */
const shown = (value: unknown): string[] => [
  inspect(value, { showHidden: true, depth: Infinity, maxArrayLength: null, maxStringLength: null }),
  format("%s %o %O", value, value, value),
  ...(value instanceof Error ? [String(value.stack)] : []),
  String(JSON.stringify(value)),
]

let looked = 0
function look(place: string, ...values: unknown[]): void {
  for (const value of values) {
    for (const text of typeof value === "string" ? [value] : shown(value)) canaries.search(place, text)
    looked++
  }
}

/** Rejections, each looked at; what does not reject is a mistake of the test. */
async function lookAtErrors(attempts: Readonly<Record<string, () => unknown>>): Promise<void> {
  for (const [name, attempt] of Object.entries(attempts)) {
    look(`the error for ${name}`, await errorOf((async () => attempt())()))
  }
}

afterEach(() => {
  expect(canaries.takeFindings()).toEqual([])
  expect(looked).toBeGreaterThan(2)
  looked = 0
})

const broken = (text: string, part: number): string =>
  text
    .split(".")
    .map((each, i) => (i === part ? (each.startsWith("A") ? "B" : "A") + each.slice(1) : each))
    .join(".")

test("the control: a leak of the message or of the passphrase is found", () => {
  look("here", new Error(`cannot read "${MARK}"`), { deep: [Buffer.from(MARK)] }, btoa(`xy${PASSPHRASE}`))
  expect(canaries.takeFindings().length).toBeGreaterThanOrEqual(3)
})

test("envelopes, keys and replies", async () => {
  const pair = await generateKeyPair({ modulusBits: 2048, extractable: true })
  const { publicKey: to, privateKey } = pair
  const { signingKey, verifyingKey } = await generateSigningKeyPair({ extractable: true })
  const replay = freshGuard()
  const request = await sealRequest(MARK, { to, signWith: signingKey, context: "a" })
  const { envelope } = request
  const opening = { with: privateKey, context: "a", replay, signedBy: verifyingKey }
  const opened = await open(envelope, opening)
  const reply = await opened.reply(MARK)
  const openedReply = await request.openReply(reply)
  look(
    "what a logger sees",
    pair,
    signingKey,
    verifyingKey,
    replay,
    request,
    envelope,
    opened,
    reply,
    openedReply,
  )
  const other = (await generateKeyPair({ modulusBits: 2048 })).privateKey
  const failing = { store: { claim: () => Promise.reject(new Error("postgres://user:pw@db")) } }
  await lookAtErrors({
    "a replay": () => open(envelope, opening),
    ...Object.fromEntries(
      [0, 1, 2, 3, 4].map((part) => [`part ${part}`, () => open(broken(envelope, part), opening)]),
    ),
    "a cut envelope": () => open(envelope.slice(0, -40), opening),
    "another key": () => open(envelope, { ...opening, with: other }),
    "another context": () => open(envelope, { ...opening, context: "b" }),
    "no signature": async () => open(await seal(MARK, { to, context: "a" }), opening),
    "a failing store": async () =>
      open(await seal(MARK, { to }), { with: privateKey, replay: createReplayGuard(failing) }),
    "a changed reply": () => request.openReply(broken(reply, 3)),
    "a message that is no JSON": () => opened.json(),
    "the message as a key": () => seal(MARK, { to: MARK as never }),
    "a lone surrogate": () => seal(`${MARK}\ud800`, { to }),
    "a key with a wrong passphrase": async () =>
      importProtectedPrivateKey(await exportProtectedPem(privateKey, { passphrase: PASSPHRASE }), {
        passphrase: "wrong",
      }),
    "a private key that is none": () => importPrivateKey(`-----BEGIN PRIVATE KEY-----\n${MARK}`),
  })
})

describe("requests", () => {
  async function journey(options: WorldOptions, headers: Record<string, string>): Promise<void> {
    const events: unknown[] = []
    const world = await createWorld({
      ...options,
      endpoint: { ...options.endpoint, maxMessageBytes: 4096, onEvent: (event) => events.push(event) },
    })
    world.handler = async (request) => {
      if (request.url.endsWith("/throws")) throw new Error("the handler failed")
      return new Response(await request.text())
    }
    let harm = (sent: Sent): Sent => sent
    let passOn: (sent: Sent) => Promise<Response> = () => Promise.reject(new Error("nothing was sent"))
    world.between = async (sent, pass) => {
      passOn = pass
      const response = await pass(harm(sent))
      const wire = await response.clone().text()
      look("the wire", sent.url, sent.method, [...sent.headers], sent.body, [...response.headers], wire)
      return response
    }
    const send = (path: string, body = MARK, more = {}): Promise<Response> =>
      world.client.fetch(path, { method: "POST", body, headers: { ...headers, ...more } })

    const answer = await send("/marked")
    expect(await answer.text()).toBe(MARK)
    look("an answer", answer)
    const [sent] = world.sent.slice(-1)
    if (sent) look("a replay", await (await passOn(sent)).text())
    look("a failed handler", await send("/throws"))
    look("a wrong key", await send("/marked", MARK, { authorization: `Bearer ${MARK}` }))
    look("what is too long", await errorOf(send("/marked", MARK.repeat(200))))
    harm = (sent) => ({ ...sent, body: broken(sent.body, 3) })
    look("what was changed", await errorOf(send("/marked")))
    harm = (sent) => ({ ...sent, url: `${sent.url}/elsewhere` })
    look("what was sent elsewhere", await errorOf(send("/marked")))
    look("events", events, world.events)
    expect(events.length).toBeGreaterThan(3)
  }

  test("with API keys", async () => {
    const store = memoryApiKeyStore()
    const apiKeys = createApiKeys({ store })
    const created = await apiKeys.create({ principal: "acme" })
    look("API keys", created, apiKeys, await apiKeys.list(), await store.list())
    look("a wrong key", await apiKeys.verify(`${created.key.slice(0, -1)}!`))
    const refuse = (): Promise<never> => Promise.reject(new Error("connect redis://user:pw@db"))
    const redis = redisApiKeyStore({ evalsha: refuse, eval: refuse }, { prefix: "a" })
    await lookAtErrors({ "a dead store": () => createApiKeys({ store: redis }).verify(created.key) })
    const authorization = `Bearer ${created.key}`
    await journey({ endpoint: { authenticate: { apiKeys } } }, { authorization })
  })

  test.each(["once", "each"] as const)("in sessions of mode %s", async (wrap) => {
    const identity = await serverIdentity()
    const sessions = createSessions({ identity, keyPool: await endlessPool(), wrap })
    await journey({ client: { pins: [identity.kid], session: true }, endpoint: { sessions } }, {})
    look("sessions", sessions, await sessions.list())
  })
})

test("fields and files", async () => {
  const { publicKey: to, privateKey } = await generateKeyPair({ modulusBits: 2048 })
  const document = { amount: 1, iban: MARK }
  const sealed = await sealFields(document, { to, fields: ["/iban"] })
  const opening = { with: privateKey, replay: freshGuard(), mustBeSealed: ["/iban"] }
  const opened = await openFields(sealed, opening)
  expect(opened.document).toEqual(document)
  look("fields", sealed, opened)
  writeFileSync(at("plain"), MARK)
  await sealFile(at("plain"), at("sealed"), { to, metadata: { name: MARK } })
  const bytes = readFileSync(at("sealed"))
  look("a file", bytes.toString("latin1"))
  writeFileSync(at("cut"), bytes.subarray(0, -3))
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  writeFileSync(at("changed"), bytes)
  await lookAtErrors({
    "replayed fields": () => openFields(sealed, opening),
    "a changed rest": () => openFields({ ...sealed, amount: 2 }, { ...opening, replay: freshGuard() }),
    "a field that is not there": () => sealFields(document, { to, fields: ["/nothing"] }),
    "a cut file": () => openFile(at("cut"), at("opened"), { with: privateKey }),
    "a changed file": () => openFile(at("changed"), at("opened"), { with: privateKey }),
  })
  look("what is left", readdirSync(folder))
})

test("key rings", async () => {
  const store = folderKeyRingStore(at("ring"))
  const events: unknown[] = []
  const protection = { passphrase: PASSPHRASE }
  const onEvent = (event: unknown): void => void events.push(event)
  const ring = await openKeyRing({ store, protection, create: true, terms: { modulusBits: 2048 }, onEvent })
  await ring.rotate({ urgent: true })
  look("a ring", ring, ring.list(), events, await ring.backup(PASSPHRASE))
  for (const name of readdirSync(at("ring")))
    look("a ring's file", readFileSync(join(at("ring"), name), "latin1"))
  await ring.close()
  await lookAtErrors({
    "a wrong passphrase": () => openKeyRing({ store, protection: { passphrase: "wrong passphrase" } }),
    "a ring that is there": () => openKeyRing({ store: folderKeyRingStore(at("none")), protection }),
  })
})

test("the command", async () => {
  const program = await installProgram()
  const input = MARK
  const run = async (args: string): Promise<void> => {
    const { stdout, stderr } = await program.run(args.split(" "), {
      input,
      env: { SEALWIRE_PASSPHRASE: PASSPHRASE },
    })
    look(`sealwire ${args}`, stderr, args.startsWith("open") ? "" : stdout.toString("latin1"))
  }
  try {
    await run("keygen --bits 2048 reader")
    const pem = readFileSync(join(program.folder, "reader.private.pem"), "utf8")
    look("the key", await importProtectedPrivateKey(pem, { passphrase: PASSPHRASE }))
    await run("seal --to reader.public.pem -o letter")
    await run("inspect letter")
    await run("open --key reader.private.pem letter")
    await run("open --key reader.private.pem letter")
    await run("open --key reader.private.pem --context another letter")
    await run("open --key reader.private.pem reader.private.pem")
    await run("seal --to reader.private.pem")
    await run("keys create ring")
    await run("keys list ring")
    await run("no such command")
  } finally {
    program.remove()
  }
})
