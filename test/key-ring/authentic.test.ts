import { createHmac, generateKeyPairSync, privateDecrypt, randomBytes } from "node:crypto"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import {
  type KeyProtection,
  type KeyRingManager,
  type KeyService,
  manageKeyRing,
} from "../../src/key-ring.ts"
import { onceForEachSalt } from "../../src/key-ring/keeper.ts"
import { importPublicKey } from "../../src/keys.ts"
import { errorOf } from "../support/reader.ts"
import {
  type Fleet,
  fleet,
  loadRing,
  showing,
  statesOf,
  type StoredText,
  wrapped,
} from "../support/key-rings.ts"

const protection = wrapped()
let made: Fleet
let early: StoredText
let stored: StoredText

beforeAll(async () => {
  made = fleet({ protection })
  const ring = await made.server()
  early = await loadRing(made)
  await ring.rotate()
  await ring.hold(ring.published()[0]?.kid ?? "", "files")
  stored = await loadRing(made)
})
afterAll(() => made.close())

const manage = (shown: StoredText, given: KeyProtection = protection): Promise<KeyRingManager> =>
  manageKeyRing({ store: showing(shown), protection: given, clock: made.clock })

/** The same text with one value changed: the place by names, and what is there then. */
function changed(path: string, value: unknown): StoredText {
  const document = JSON.parse(stored.text) as Record<string, unknown>
  const names = path.split(".")
  const last = names.pop() ?? ""
  const parent = names.reduce((found, name) => found[name] as Record<string, unknown>, document)
  if (value === undefined) Reflect.deleteProperty(parent, last)
  else parent[last] = value
  return { ...stored, text: JSON.stringify(document) }
}

/** RFC 8785 for what a ring holds: ASCII and integers. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join()}}`
}

const field = (bytes: Uint8Array | string): Buffer => {
  const head = Buffer.alloc(8)
  head.writeBigUInt64BE(BigInt(Buffer.byteLength(bytes)))
  return Buffer.concat([head, Buffer.from(bytes as string)])
}

describe("what is stored of a ring", () => {
  test("has a MAC that others can make, over all of it and its version", async () => {
    const { mac, ...members } = JSON.parse(stored.text) as { mac: { salt: string; tag: string } }
    const salt = Buffer.from(mac.salt, "base64url")
    const key = createHmac("sha256", protection.wrappingKey)
      .update(Buffer.concat([field("sealwire/1 ring mac key"), field(salt)]))
      .digest()
    const text = canonical({ ...members, mac: { salt: mac.salt } })
    const data = Buffer.concat([field("sealwire/1 ring mac"), field(String(stored.version)), field(text)])
    expect(mac.tag).toBe(createHmac("sha256", key).update(data).digest("base64url"))
    const ring = await manage(stored)
    expect(ring.authenticity).toBe("verified")
    expect(statesOf(ring)).toEqual(["active", "pending"])
  })

  test.each([
    ["a term", "terms.maxAgeSeconds", 1],
    ["whether retired keys go", "terms.destroyRetired", false],
    ["when it was saved", "savedAtMs", 1],
    ["when what is published changed", "changedAtMs", 9_000_000_000_000],
    ["when a key was made", "keys.0.createdAtMs", 1],
    ["when it is published", "keys.0.activeFromMs", 1],
    ["when it is retired", "keys.0.retiredFromMs", undefined],
    ["when it may be destroyed", "keys.0.destroyFromMs", 1],
    ["what it is held for", "keys.0.heldFor", undefined],
    ["which keys there are", "keys", []],
    ["something more", "keys.0.more", 1],
    ["the salt", "mac.salt", randomBytes(16).toString("base64url")],
    ["the tag", "mac.tag", randomBytes(32).toString("base64url")],
  ])("is refused when somebody changed %s", async (_, path, value) => {
    expect(await errorOf(manage(changed(path, value)))).toMatchObject({
      code: "ERR_KEY",
      message: expect.stringContaining("changed by somebody without it"),
    })
  })

  test.each([
    ["no MAC", "mac", undefined],
    ["no tag", "mac.tag", undefined],
    ["a salt that is none", "mac.salt", "="],
  ])("is refused with %s", async (_, path, value) => {
    expect(await errorOf(manage(changed(path, value)))).toMatchObject({ code: "ERR_KEY" })
  })

  test("is refused when an old text is stored as a later version", async () => {
    expect((await manage(early)).authenticity).toBe("verified")
    const raised = { ...early, version: stored.version + 1 }
    expect(await errorOf(manage(raised))).toMatchObject({ code: "ERR_KEY" })
  })

  test("is not followed by a server that runs, which goes on by what it knows", async () => {
    const own = fleet({ protection })
    let shown = stored
    const store = {
      ...showing(stored),
      load: async (name: "ring" | "uses") => (name === "ring" ? shown : undefined),
    }
    const ring = await own.server({ store, create: false, terms: {} })
    shown = { ...changed("keys.0.activeFromMs", undefined), version: stored.version + 1 }
    expect(await errorOf(ring.refresh())).toMatchObject({ code: "ERR_KEY" })
    expect(statesOf(ring)).toEqual(["active", "pending"])
    shown = stored
    await own.close()
  })

  test("is shown without the protection as what it is, and cannot be changed", async () => {
    const ring = await manageKeyRing({ store: showing(stored), clock: made.clock })
    expect(ring.authenticity).toBe("unverified")
    expect(statesOf(ring)).toEqual(["active", "pending"])
    const refused = await errorOf(ring.hold(ring.list()[1]?.kid ?? "", "files"))
    expect(refused).toBeInstanceOf(TypeError)
    expect(refused).toMatchObject({ message: expect.stringContaining("options.protection") })
  })
})

describe("a ring without a MAC", () => {
  const bare = (): StoredText => {
    const { mac: _, ...members } = JSON.parse(stored.text) as Record<string, unknown>
    return { ...stored, text: JSON.stringify({ ...members, v: "1" }) }
  }

  test("is refused where the protection makes one, unless that is accepted aloud", async () => {
    expect(await errorOf(manage(bare()))).toMatchObject({
      code: "ERR_KEY",
      message: expect.stringContaining("has no MAC"),
    })
    const store = showing(bare())
    const options = { store, protection, clock: made.clock, dangerouslyAcceptUnauthenticated: true }
    expect((await manageKeyRing(options)).authenticity).toBe("none")
  })

  test("has one as soon as a server has opened it", async () => {
    const own = fleet({ protection })
    for (let version = 1; version < stored.version; version++) await own.store.save("ring", "", version)
    await own.store.save("ring", bare().text, stored.version)
    const ring = await own.server({ terms: {}, dangerouslyAcceptUnauthenticated: true })
    expect(ring.authenticity).toBe("verified")
    expect((await own.server({ terms: {} })).list()).toEqual(ring.list())
    await own.close()
  })

  test("is all there is in clear", async () => {
    const own = fleet({ protection: { dangerouslyInClear: true } })
    const ring = await own.server()
    expect(ring.authenticity).toBe("none")
    const manager = await manageKeyRing({ store: own.store, clock: own.clock })
    await manager.hold(ring.list()[0]?.kid ?? "", "files")
    await ring.refresh()
    expect(ring.list()[0]?.heldFor).toBe("files")
    await own.close()
  })
})

describe("a ring under a passphrase", () => {
  test("is verified by it, and by no other", async () => {
    const own = fleet({ protection: { passphrase: "zwölf Boxkämpfer" } })
    await own.server()
    const shown = await loadRing(own)
    expect((await manage(shown, { passphrase: "zwölf Boxkämpfer" })).authenticity).toBe("verified")
    const later = { ...shown, text: shown.text.replace(/"savedAtMs":\d+/, '"savedAtMs":1') }
    expect(await errorOf(manage(later, { passphrase: "zwölf Boxkämpfer" }))).toMatchObject({
      code: "ERR_KEY",
    })
    await own.close()
  })

  test("derives a key once for its salt, and again after a failure", async () => {
    const derived: number[] = []
    const macKey = onceForEachSalt(async (salt) => {
      derived.push(salt[0] ?? 0)
      if (derived.length === 1) throw new Error("away")
      return salt
    })
    const [one, two] = [new Uint8Array([1, 2]), new Uint8Array([2, 2])]
    expect(await errorOf(macKey(one))).toMatchObject({ message: "away" })
    expect(await Promise.all([macKey(one), macKey(one), macKey(new Uint8Array(one))])).toEqual([
      one,
      one,
      one,
    ])
    await macKey(two)
    expect(derived).toEqual([1, 1, 2])
  })
})

describe("a ring in a key service", () => {
  const secret = randomBytes(32)
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const service: KeyService = {
    create: async () => ({
      reference: "one",
      publicKey: await importPublicKey(pair.publicKey.export({ type: "spki", format: "pem" })),
    }),
    unwrap: (_, encryptedKey) => privateDecrypt({ key: pair.privateKey, oaepHash: "sha256" }, encryptedKey),
  }
  const mac = (data: Uint8Array): Uint8Array => createHmac("sha256", secret).update(data).digest()

  test("has a MAC where the service makes one, and is not opened without it", async () => {
    let calls = 0
    const counted = {
      ...service,
      mac: (data: Uint8Array) => {
        calls++
        return mac(data)
      },
    }
    const own = fleet({ protection: { service: counted } })
    const ring = await own.server()
    expect(ring.authenticity).toBe("verified")
    await ring.hold(ring.published()[0]?.kid ?? "", "files")
    expect(calls).toBe(1)
    const shown = await loadRing(own)
    expect(await errorOf(manage(shown, { service }))).toMatchObject({ code: "ERR_KEY" })
    const other = { ...service, mac: () => randomBytes(32) }
    expect(await errorOf(manage(shown, { service: other }))).toMatchObject({ code: "ERR_KEY" })
    await own.close()
  })

  test("has none where the service makes none", async () => {
    const own = fleet({ protection: { service } })
    expect((await own.server()).authenticity).toBe("none")
    await own.close()
  })

  test("is not begun with a MAC that is none", async () => {
    const short = fleet({ protection: { service: { ...service, mac: () => randomBytes(31) } } })
    expect(await errorOf(short.server())).toBeInstanceOf(TypeError)
    const away = { ...service, mac: () => Promise.reject(new Error("away")) }
    expect(await errorOf(fleet({ protection: { service: away } }).server())).toMatchObject({
      code: "ERR_KEY_UNAVAILABLE",
    })
  })
})
