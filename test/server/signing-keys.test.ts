import { beforeEach, describe, expect, it, vi } from "vitest"

import { createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { createClient, proveSigningKey } from "../../src/client.ts"
import { generateKeyPair, type SigningKey } from "../../src/index.ts"
import { exportJwk, generateSigningKeyPair } from "../../src/keys.ts"
import {
  createSigningKeys,
  type Endpoint,
  type EndpointEvent,
  type EndpointOptions,
  type Handler,
  memorySigningKeyStore,
  type SigningKeyRecord,
  type SigningKeys,
  type SigningKeyStore,
} from "../../src/server.ts"
import { createSessions } from "../../src/session.ts"
import { endlessPool, serverIdentity } from "../support/session-world.ts"
import {
  endpointWith,
  exchange,
  freshGuard,
  ORIGIN,
  sealedRequest,
  serverKey,
} from "../support/sealed-http.ts"

const ALICE = { id: "alice", scopes: ["transfers:write", "reports:read"] }
const BOB = { id: "bob", scopes: ["reports:read"] }

let store: SigningKeyStore
let keys: SigningKeys

beforeEach(async () => {
  store = memorySigningKeyStore()
  keys = createSigningKeys({ store, origin: ORIGIN, keys: await serverKey(), replay: freshGuard() })
})

async function newKey(algorithm: "Ed25519" | "ES256" = "Ed25519"): Promise<SigningKey> {
  return (await generateSigningKeyPair({ algorithm })).signingKey
}

async function proofBy(signingKey: SigningKey, principal: string, origin = ORIGIN) {
  const to = (await serverKey()).publicKey
  const proof = await proveSigningKey({ signingKey, to, origin, principal })
  return JSON.parse(JSON.stringify(proof)) as { jwk: Record<string, unknown>; proof: string }
}

describe("enrolling a signing key", () => {
  it.each(["Ed25519", "ES256"] as const)("takes one of %s whose possession is proven", async (algorithm) => {
    const signingKey = await newKey(algorithm)
    const record = await keys.enrol(await proofBy(signingKey, "alice"), ALICE)
    expect(record).toMatchObject({ kid: signingKey.kid, principal: "alice", scopes: ALICE.scopes })
    expect(await keys.find(signingKey.kid)).toMatchObject({
      principal: "alice",
      key: { kid: signingKey.kid },
    })
  })

  it("refuses another's key, whichever way its proof came about", async () => {
    const [ofAlice, ofBob] = [await newKey(), await newKey()]
    const alices = await proofBy(ofAlice, "alice")
    const bobs = await proofBy(ofBob, "bob")
    const tries = [
      // sent by another
      alices,
      // her key, under his signature
      { jwk: alices.jwk, proof: bobs.proof },
      // his key, under her signature
      { jwk: bobs.jwk, proof: alices.proof },
      { jwk: alices.jwk, proof: "" },
    ]
    for (const proof of tries) {
      await expect(keys.enrol(proof, BOB)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    }
    expect(await keys.list()).toEqual([])
    // nothing of hers was used up
    expect(await keys.enrol(alices, ALICE)).toMatchObject({ principal: "alice" })
  })

  it("refuses a proof for another server", async () => {
    const proof = await proofBy(await newKey(), "alice", "https://other.example.com")
    await expect(keys.enrol(proof, ALICE)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
  })

  it("refuses a proof without a signature, or one that counted before", async () => {
    const signingKey = await newKey()
    const { publicKey } = await serverKey()
    const { seal } = await import("../../src/index.ts")
    const context = `signing key\0${ORIGIN}\0alice`
    const unsigned = {
      jwk: await exportJwk(signingKey.verifyingKey),
      proof: await seal("", { to: publicKey, context }),
    }
    await expect(keys.enrol(unsigned, ALICE)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    const proof = await proofBy(signingKey, "alice")
    await keys.enrol(proof, ALICE)
    await expect(keys.enrol(proof, ALICE)).rejects.toMatchObject({ code: "ERR_REPLAYED" })
  })

  it("keeps a key with the principal that enrolled it first, also when it was revoked", async () => {
    const shared = await newKey()
    const first = await keys.enrol(await proofBy(shared, "alice"), ALICE)
    expect(await keys.enrol(await proofBy(shared, "alice"), ALICE)).toEqual(first)
    await expect(keys.enrol(await proofBy(shared, "bob"), BOB)).rejects.toMatchObject({ code: "ERR_KEY" })
    await keys.revoke(shared.kid)
    await expect(keys.enrol(await proofBy(shared, "alice"), ALICE)).rejects.toMatchObject({ code: "ERR_KEY" })
    expect(await keys.find(shared.kid)).toBeUndefined()
  })

  it("gives a key some of the principal's scopes, and never more", async () => {
    const proof = await proofBy(await newKey(), "bob")
    await expect(keys.enrol(proof, BOB, { scopes: ["transfers:write"] })).rejects.toThrow(RangeError)
    expect(await keys.enrol(proof, BOB, { scopes: [] })).toMatchObject({ scopes: [] })
  })

  it.each([
    [undefined],
    [null],
    ["text"],
    [[]],
    [{}],
    [{ jwk: "x", proof: "a.b.c.d.e" }],
    [{ jwk: {}, proof: "a.b.c.d.e" }],
    [{ jwk: { kty: "oct", k: "AAAA" }, proof: "a.b.c.d.e" }],
    [{ jwk: { kty: "OKP", crv: "Ed25519", x: "AAAA" }, proof: 7 }],
  ])("refuses %j as a SealwireError", async (proof) => {
    await expect(keys.enrol(proof, ALICE)).rejects.toMatchObject({ name: "SealwireError" })
  })

  it("refuses a private key, so that nobody sends one", async () => {
    const { signingKey } = await generateSigningKeyPair({ extractable: true })
    const proof = { ...(await proofBy(signingKey, "alice")), jwk: await exportJwk(signingKey) }
    await expect(keys.enrol(proof, ALICE)).rejects.toMatchObject({ code: "ERR_KEY" })
  })
})

describe("a registry of signing keys", () => {
  it("refuses a record under the name of another key", async () => {
    const [one, two] = [await newKey(), await newKey()]
    const record = await keys.enrol(await proofBy(one, "alice"), ALICE)
    await store.add({ ...record, kid: two.kid })
    expect(await keys.find(two.kid)).toBeUndefined()
  })

  it("asks its store each time, and not about what is no thumbprint", async () => {
    const { kid } = await keys.enrol(await proofBy(await newKey(), "alice"), ALICE)
    const find = vi.spyOn(store, "find")
    await keys.find(kid)
    await keys.find(kid)
    await keys.find("'; DROP TABLE keys")
    expect(find).toHaveBeenCalledTimes(2)
    find.mockImplementation(() => {
      throw new Error("down")
    })
    await expect(keys.find(kid)).rejects.toMatchObject({ code: "ERR_STORE" })
  })

  it("lists keys by principal, and tells whether there was one to revoke", async () => {
    const { kid } = await keys.enrol(await proofBy(await newKey(), "alice"), ALICE)
    await keys.enrol(await proofBy(await newKey(), "bob"), BOB)
    const kids = (records: SigningKeyRecord[]): string[] => records.map((record) => record.kid)
    expect(kids(await keys.list("alice"))).toEqual([kid])
    expect(await keys.list()).toHaveLength(2)
    expect(await keys.revoke(kid)).toBe(true)
    expect(await keys.revoke("A".repeat(43))).toBe(false)
    expect(await keys.list("alice")).toMatchObject([{ endsAtMs: 0 }])
  })

  it("never lets a key's end move to a later time", async () => {
    const { kid } = await keys.enrol(await proofBy(await newKey(), "alice"), ALICE)
    expect(await store.end(kid, 9)).toBe(9)
    expect(await store.end(kid, 99)).toBe(9)
  })

  it.each([
    [{ store: {} }],
    [{ origin: "nowhere" }],
    [{ keys: {} }],
    [{ replay: {} }],
    [{ clock: 1 }],
    [{ x: 1 }],
  ])("is not made with %o", async (options) => {
    const good = { store, origin: ORIGIN, keys: await serverKey(), replay: freshGuard() }
    expect(() => createSigningKeys({ ...good, ...(options as object) })).toThrow(TypeError)
  })
})

describe("an endpoint with signing keys", () => {
  const routes = {
    "POST /transfers": { level: "high", scopes: ["transfers:write"] },
    "/notes": "medium",
  } as const
  const tellPrincipal: Handler = (_, { principal }) => Response.json(principal ?? null)
  const unreachable: Handler = () => {
    throw new Error("the handler ran")
  }
  const withKeys = (options: Partial<EndpointOptions> = {}): Promise<Endpoint> =>
    endpointWith({ routes, authenticate: { signingKeys: keys }, ...options })

  it("knows the signatures of enrolled keys, and gives their principal", async () => {
    const signWith = await newKey()
    const endpoint = await withKeys()
    await keys.enrol(await proofBy(signWith, "alice"), ALICE)
    const answer = await exchange(endpoint, { signWith }, tellPrincipal)
    expect(JSON.parse(answer.text)).toEqual({ ...ALICE, kind: "signing-key" })
    const unsigned = await exchange(endpoint, {}, unreachable)
    expect(unsigned.text).toContain("urn:sealwire:unauthorized")
    expect((await exchange(endpoint, { path: "/notes" }, tellPrincipal)).text).toBe("null")
  })

  it("refuses an unknown or a revoked key like any other message that does not open", async () => {
    const [stranger, revoked] = [await newKey(), await newKey()]
    const endpoint = await withKeys()
    await keys.enrol(await proofBy(revoked, "alice"), ALICE)
    await keys.revoke(revoked.kid)
    for (const signWith of [stranger, revoked]) {
      const { request } = await sealedRequest({ path: "/notes", signWith })
      expect((await endpoint.handle(request, unreachable)).status).toBe(400)
    }
  })

  it("answers a verified signer whom the route does not allow: forbidden", async () => {
    const events: EndpointEvent[] = []
    const [ofBob, known] = [await newKey(), await newKey()]
    const endpoint = await withKeys({ knownSigners: [known.verifyingKey], onEvent: (e) => events.push(e) })
    await keys.enrol(await proofBy(ofBob, "bob"), BOB)
    for (const signWith of [ofBob, known]) {
      const answer = await exchange(endpoint, { signWith }, unreachable)
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining("urn:sealwire:forbidden")])
    }
    expect(events).toMatchObject([
      { problem: "forbidden", reason: "scope", signer: ofBob.kid },
      { problem: "forbidden", reason: "signer", signer: known.kid },
    ])
    expect((await exchange(endpoint, { path: "/notes", signWith: known }, tellPrincipal)).text).toBe("null")
  })

  it("takes an API key beside a signature only of the same principal", async () => {
    const apiKeys = createApiKeys({ store: memoryApiKeyStore() })
    const events: EndpointEvent[] = []
    const authenticate = { apiKeys, signingKeys: keys }
    const endpoint = await withKeys({ authenticate, onEvent: (event) => events.push(event) })
    const signWith = await newKey()
    await keys.enrol(await proofBy(signWith, "alice"), ALICE)
    const same = await apiKeys.create({ principal: "alice" })
    const other = await apiKeys.create({ principal: "bob", scopes: ["transfers:write"] })
    const ask = (key: string, next: Handler) =>
      exchange(endpoint, { signWith, headers: [["authorization", `Bearer ${key}`]] }, next)
    expect(JSON.parse((await ask(same.key, tellPrincipal)).text)).toMatchObject({ kind: "signing-key" })
    expect((await ask(other.key, unreachable)).text).toContain("urn:sealwire:unauthorized")
    expect(events.at(-1)).toMatchObject({ reason: "ambiguous" })
    await apiKeys.revoke(same.id)
    expect((await ask(same.key, unreachable)).status).toBe(401)
  })

  it("demands a signature by one of signedBy where that is set, enrolled or not", async () => {
    const [required, enrolled] = [await newKey(), await newKey()]
    const endpoint = await withKeys({ signedBy: required.verifyingKey })
    await keys.enrol(await proofBy(enrolled, "alice"), ALICE)
    const { request } = await sealedRequest({ signWith: enrolled })
    expect((await endpoint.handle(request, unreachable)).status).toBe(400)
    expect((await exchange(endpoint, { signWith: required }, unreachable)).status).toBe(403)
  })

  it("gives no principal in a session any more, once the key that opened it is revoked", async () => {
    const identity = await serverIdentity()
    const sessions = createSessions({ identity, keyPool: await endlessPool() })
    const signWith = await newKey()
    const endpoint = await withKeys({ directory: { identity }, sessions })
    await keys.enrol(await proofBy(signWith, "alice"), ALICE)
    const client = createClient({
      baseUrl: ORIGIN,
      pins: [identity.kid],
      signWith,
      session: true,
      fetch: (url, init) => endpoint.handle(new Request(url, init), tellPrincipal),
    })
    const ask = (path: string): Promise<Response> => client.fetch(path, { method: "POST", body: "{}" })
    expect(await (await ask("/transfers")).json()).toMatchObject({ id: "alice", kind: "signing-key" })
    await keys.revoke(signWith.kid)
    expect((await ask("/transfers")).status).toBe(403)
    expect(await (await ask("/notes")).json()).toBeNull()
    sessions.close()
  })

  it("answers 503 when the keys cannot be looked up", async () => {
    vi.spyOn(store, "find").mockRejectedValue(new Error("down"))
    const { request } = await sealedRequest({ path: "/notes", signWith: await newKey() })
    expect((await (await withKeys()).handle(request, unreachable)).status).toBe(503)
    const signingKeys = { find: () => Promise.reject(new Error("a look-up of one's own")) }
    const own = await sealedRequest({ path: "/notes", signWith: await newKey() })
    const endpoint = await withKeys({ authenticate: { signingKeys } })
    expect((await endpoint.handle(own.request, unreachable)).status).toBe(503)
  })
})

it("proves nothing with a key of another kind", async () => {
  const { publicKey: to, privateKey } = await generateKeyPair({ modulusBits: 2048 })
  const signingKey = privateKey as unknown as SigningKey
  const proving = proveSigningKey({ signingKey, to, origin: ORIGIN, principal: "alice" })
  await expect(proving).rejects.toThrow(/options.signingKey must be a signing key/)
})
