/**
 * What must hold in every runtime: plain cases over the public doors, so that any test runner, or none, can run them.
 *
 * @module
 */

import {
  createReplayGuard,
  dangerouslyAcceptReplays,
  generateKeyPair,
  importPrivateKey,
  importPublicKey,
  open,
  type ReplayGuard,
  seal,
  SealwireError,
  sealRequest,
} from "sealwire"
import { createPolicy, openFields, sealFields } from "sealwire/fields"
import {
  exportJwk,
  exportPem,
  generateSigningKeyPair,
  importSigningKey,
  importVerifyingKey,
} from "sealwire/keys"
import { createClient } from "sealwire/client"
import { noble } from "sealwire/noble"
import { createEndpoint } from "sealwire/server"
import { backendContract, type ContractCase, platformBackend } from "sealwire/testing"

import vectors from "../../vectors/known-answers.json" with { type: "json" }

const context = "POST /orders"

function assertEqual(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`)
}

async function assertCode(attempt: Promise<unknown>, code: string): Promise<void> {
  const outcome: unknown = await attempt.then(
    () => "no error",
    (error: unknown) => error,
  )
  assertEqual(outcome instanceof SealwireError ? outcome.code : outcome, code, "the refusal")
}

function guardOverSet(): ReplayGuard {
  const claimed = new Set<string>()
  const store = {
    claim: (id: string): Promise<boolean> => Promise.resolve(claimed.size < claimed.add(id).size),
  }
  return createReplayGuard({ store })
}

/** Changes one character in the middle of the last segment: the tag. */
function tamper(envelope: string): string {
  const at = envelope.length - 10
  return envelope.slice(0, at) + (envelope[at] === "A" ? "B" : "A") + envelope.slice(at + 1)
}

async function sealsOpensAndReplies(): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair()
  const { envelope, openReply } = await sealRequest("grüße", { to: publicKey, context })
  const opened = await open(envelope, { with: privateKey, context, replay: guardOverSet() })
  assertEqual(opened.text(), "grüße", "the message")
  assertEqual(opened.signer, undefined, "the signer")
  const reply = await openReply(await opened.reply("seen"))
  assertEqual(reply.text(), "seen", "the reply")
}

async function refusesCopiesAndChanges(): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair()
  const envelope = await seal("once", { to: publicKey, context })
  const options = { with: privateKey, context, replay: guardOverSet() }
  await assertCode(open(tamper(envelope), options), "ERR_OPEN_FAILED")
  await assertCode(open(envelope, { ...options, context: "POST /refunds" }), "ERR_OPEN_FAILED")
  await open(envelope, options)
  await assertCode(open(envelope, options), "ERR_REPLAYED")
}

async function provesTheSigner(algorithm: "Ed25519" | "ES256"): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair()
  const { signingKey, verifyingKey } = await generateSigningKeyPair({ algorithm })
  const stranger = await generateSigningKeyPair({ algorithm })
  const envelope = await seal("signed", { to: publicKey, signWith: signingKey })
  const options = { with: privateKey, replay: dangerouslyAcceptReplays }
  const opened = await open(envelope, { ...options, signedBy: verifyingKey })
  assertEqual(opened.signer, verifyingKey.kid, "the signer")
  await assertCode(open(envelope, { ...options, signedBy: stranger.verifyingKey }), "ERR_OPEN_FAILED")
}

async function carriesLargeMessages(): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair()
  const message = Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251)
  const envelope = await seal(message, { to: publicKey })
  const opened = await open(envelope, { with: privateKey, replay: dangerouslyAcceptReplays })
  assertEqual(opened.message.length, message.length, "the length")
  assertEqual(
    opened.message.every((byte, i) => byte === i % 251),
    true,
    "every byte is the one sealed",
  )
}

async function keepsKeysInEveryForm(): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair({ extractable: true })
  for (const form of [exportJwk, exportPem]) {
    const to = await importPublicKey(await form(publicKey))
    const reader = await importPrivateKey(await form(privateKey))
    const opened = await open(await seal("kept", { to }), { with: reader, replay: dangerouslyAcceptReplays })
    assertEqual(opened.text(), "kept", "the message")
    assertEqual(to.kid, reader.kid, "the name of the pair")
  }
}

async function keepsSigningKeysInEveryForm(): Promise<void> {
  for (const algorithm of ["Ed25519", "ES256"] as const) {
    const { signingKey, verifyingKey } = await generateSigningKeyPair({ algorithm, extractable: true })
    for (const form of [exportJwk, exportPem]) {
      const signs = await importSigningKey(await form(signingKey))
      const verifies = await importVerifyingKey(await form(verifyingKey))
      assertEqual(signs.kid, verifyingKey.kid, `the ${algorithm} signing key`)
      assertEqual(verifies.kid, verifyingKey.kid, `the ${algorithm} verifying key`)
    }
  }
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

async function opensKnownAnswer(answer: (typeof vectors.cases)[number]): Promise<void> {
  const claims: string[] = []
  const store = {
    claim: (id: string): Promise<boolean> => {
      claims.push(id)
      return Promise.resolve(true)
    },
  }
  const { d: _d, ...ed25519 } = vectors.signer
  const { d: _e, ...es256 } = vectors.signer_es256
  const opened = await open(answer.envelope, {
    with: await importPrivateKey(
      answer.recipient === "recipient" ? vectors.recipient : vectors.recipient_3072,
    ),
    context: bytesOf(answer.context),
    replay: createReplayGuard({ store, clock: () => answer.iat * 1000 }),
    knownSigners: [await importVerifyingKey(ed25519), await importVerifyingKey(es256)],
  })
  assertEqual(hexOf(opened.digest), answer.message_sha256, "the digest of the message")
  assertEqual(opened.id, answer.id, "the id")
  assertEqual(opened.signer ?? null, answer.signer, "the signer")
  assertEqual(claims.join(), answer.claim_id, "the claim")
}

async function opensKnownFields(): Promise<void> {
  const { document, outer_context: outer, sealed } = vectors.fields
  const options = {
    with: await importPrivateKey(vectors.recipient),
    context: bytesOf(outer),
    replay: dangerouslyAcceptReplays,
    mustBeSealed: ["/card/number", "/items/1"],
  }
  const opened = await openFields(JSON.stringify(sealed), options)
  const { amount, card, items } = opened.document as typeof document
  assertEqual(amount, document.amount, "the clear rest")
  assertEqual(card.number, document.card.number, "the sealed member")
  assertEqual(items[1]?.note, document.items[1]?.note, "the sealed element")
  await assertCode(openFields({ ...sealed, amount: 121 }, options), "ERR_OPEN_FAILED")
  await assertCode(openFields(sealed, { ...options, mustBeSealed: ["/card/number"] }), "ERR_FIELDS")
}

async function sealsFields(): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair()
  const document = { notes: [{ text: "grüße" }, { text: "😀" }], rate: 0.1, "€": 1, "\ufb33": 2, "😀": 3 }
  const sealed = await sealFields(document, { to: publicKey, fields: ["/notes/*/text"], context })
  const options = { with: privateKey, context, replay: guardOverSet(), mustBeSealed: ["/notes/*/text"] }
  const opened = await openFields(JSON.stringify(sealed), options)
  assertEqual(JSON.stringify(opened.document), JSON.stringify(document), "the document")
  await assertCode(openFields(sealed, options), "ERR_REPLAYED")
  const doubled = JSON.stringify(sealed).replace("{", '{"rate":9,')
  await assertCode(openFields(doubled, options), "ERR_OPEN_FAILED")
}

async function protectsByPolicy(): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair()
  const policy = createPolicy({
    rules: { "/iban": "seal", "/pin": "drop", "/name": "mask", "/email": "hash" },
    hashKey: new Uint8Array(32),
  })
  const document = { iban: "CH93", pin: "1", name: "Zoë", email: "zoe@example.org" }
  const sealed = await policy.protect(document, { to: publicKey })
  const opened = await policy.open(sealed, { with: privateKey, replay: guardOverSet() })
  // HMAC-SHA-256, computed outside this library
  const { email } = policy.redact(document) as { email: string }
  assertEqual(email, "QohlqE-CVFjDmdkzDJrgzK51yAwYtTj1V8EObeoBv2Y", "the hash")
  assertEqual(
    JSON.stringify(Object.entries(opened.document).sort()),
    JSON.stringify(Object.entries({ iban: "CH93", name: "***", email }).sort()),
    "the document",
  )
}

/** Client and endpoint, with the directory, a signature, a corrected clock and a stream; no network. */
async function fetchesSealed(backend: typeof platformBackend): Promise<void> {
  const origin = "https://api.example.com"
  const { privateKey } = await generateKeyPair({ modulusBits: 2048 })
  const identity = await generateSigningKeyPair()
  const { signingKey, verifyingKey } = await generateSigningKeyPair({ backend })
  const endpoint = createEndpoint({
    origin,
    keys: privateKey,
    directory: { identity: identity.signingKey },
    replay: guardOverSet(),
    routes: { "/**": "medium" },
    signedBy: await importVerifyingKey(await exportJwk(verifyingKey)),
  })
  const client = createClient({
    baseUrl: origin,
    pins: [identity.signingKey.kid],
    backend,
    signWith: signingKey,
    clock: () => Date.now() - 3_600_000,
    fetch: (url, init) =>
      endpoint.handle(new Request(url, init), async (request, { signer }) => {
        if (request.method === "GET") return new Response("x".repeat(300_000))
        return Response.json({ signer, ...((await request.json()) as object) }, { status: 201 })
      }),
  })
  const response = await client.fetch("/transfers", { method: "POST", body: '{"cents":1}' })
  assertEqual(response.status, 201, "the status")
  assertEqual(await response.text(), `{"signer":"${signingKey.kid}","cents":1}`, "the answer")
  const long = await client.fetch("/account?page=2")
  assertEqual((await long.text()).length, 300_000, "the length of the stream")
}

/** The contract of each backend that this runtime has, the platform's own as the reference. */
const contracts: readonly ContractCase[] = [
  ...backendContract(platformBackend, platformBackend),
  ...backendContract(noble, platformBackend, { lacks: ["privateRsa", "der", "cryptoKey"] }).map((each) => ({
    ...each,
    name: `noble: ${each.name}`,
  })),
]

/** Every case. */
export const cases: readonly ContractCase[] = [
  ...vectors.cases.map((answer) => ({
    name: `opens the known answer "${answer.name}"`,
    run: () => opensKnownAnswer(answer),
  })),
  ...contracts,
  { name: "seals, opens and answers a message", run: sealsOpensAndReplies },
  { name: "refuses a copy, a change and another context", run: refusesCopiesAndChanges },
  { name: "proves an Ed25519 signer and refuses a stranger", run: () => provesTheSigner("Ed25519") },
  { name: "proves an ES256 signer and refuses a stranger", run: () => provesTheSigner("ES256") },
  { name: "carries a megabyte unchanged", run: carriesLargeMessages },
  { name: "opens the known answer with sealed fields", run: opensKnownFields },
  { name: "seals fields and opens them once", run: sealsFields },
  { name: "protects a document by a policy", run: protectsByPolicy },
  { name: "fetches sealed, there and back", run: () => fetchesSealed(platformBackend) },
  { name: "fetches sealed, there and back, with the client on noble", run: () => fetchesSealed(noble) },
  { name: "keeps recipient keys as JWK and PEM", run: keepsKeysInEveryForm },
  { name: "keeps signing keys as JWK and PEM", run: keepsSigningKeysInEveryForm },
]
