import { constants, generateKeyPairSync, type KeyObject, privateDecrypt } from "node:crypto"

import { afterEach, describe, expect, test } from "vitest"

import {
  type KeyService,
  manageKeyRing,
  memoryKeyRingStore,
  openKeyRing,
  restoreKeyRing,
  type StoredKeyRing,
} from "../../src/key-ring.ts"
import { importPublicKey } from "../../src/keys.ts"
import { errorOf } from "../support/reader.ts"
import { type Fleet, fleet, openBy, sealBy, statesOf, TERMS, wrapped } from "../support/key-rings.ts"

let current: Fleet | undefined
afterEach(async () => {
  await current?.close()
})

describe("a backup", () => {
  const PASSPHRASE = "in the safe"

  async function backedUp(): Promise<{ made: Fleet; ring: StoredKeyRing; backup: string; envelope: string }> {
    const made = (current = fleet())
    const ring = await made.server()
    const envelope = await sealBy(ring)
    await ring.rotate()
    made.clock.advance(60_000)
    return { made, ring, backup: await ring.backup(PASSPHRASE), envelope }
  }

  test("brings all keys back, under another protection, with a `seq` above every earlier one", async () => {
    const { made, ring, backup, envelope } = await backedUp()
    const { clock } = made
    const late = await sealBy(ring)
    await ring.rotate({ urgent: true })
    clock.advance(20_000)
    const lastSeq = ring.seq
    const store = memoryKeyRingStore()
    const protection = { passphrase: "a new one" }
    await restoreKeyRing({ store, protection, clock, backup, passphrase: PASSPHRASE })
    const restored = await openKeyRing({ store, protection, clock })
    expect(statesOf(restored)).toEqual(["retired", "active"])
    expect(restored.terms).toEqual(ring.terms)
    expect(await openBy(restored, envelope)).toBe("hello")
    expect(await openBy(restored, late)).toBe("hello")
    expect(restored.seq).toBeGreaterThan(lastSeq)
    await restored.close()
  })

  test("says nothing without its passphrase, and shows every change", async () => {
    const { made, backup } = await backedUp()
    const { text = "" } = (await made.store.load("ring")) ?? {}
    for (const { kid } of (JSON.parse(text) as { keys: { kid: string }[] }).keys) {
      expect(backup).not.toContain(kid)
      expect(Buffer.from(backup.split(".").at(-1) ?? "", "base64url").toString("latin1")).not.toContain(kid)
    }
    const restore = (changed: string, passphrase = PASSPHRASE): Promise<void> =>
      restoreKeyRing({ store: memoryKeyRingStore(), protection: wrapped(), backup: changed, passphrase })
    expect(await errorOf(restore(backup, "guess"))).toMatchObject({ code: "ERR_KEY" })
    const at = backup.length - 100
    const flipped = backup.slice(0, at) + (backup[at] === "A" ? "B" : "A") + backup.slice(at + 1)
    for (const changed of [flipped, backup.slice(0, -9), `x${backup}`, "", backup.replace(".1.", ".2.")]) {
      expect(await errorOf(restore(changed))).toMatchObject({ code: "ERR_KEY" })
    }
    await restore(backup.trimEnd())
  })

  test("does not go over a ring that is there", async () => {
    const { made, backup } = await backedUp()
    const before = await made.store.load("ring")
    const restoring = restoreKeyRing({
      store: made.store,
      protection: wrapped(),
      backup,
      passphrase: PASSPHRASE,
    })
    expect(await errorOf(restoring)).toMatchObject({
      message: expect.stringContaining("nothing is overwritten"),
    })
    expect(await made.store.load("ring")).toEqual(before)
  })

  test("is made from the keys at rest, so by who has the protection, and under a passphrase that is one", async () => {
    const { made, ring } = await backedUp()
    const manager = await manageKeyRing({ store: made.store, clock: made.clock })
    expect(await errorOf(manager.backup(PASSPHRASE))).toBeInstanceOf(TypeError)
    expect(await errorOf(ring.backup(""))).toBeInstanceOf(RangeError)
  })
})

/** A key service in memory. */
function service(): KeyService & { readonly keys: Map<string, KeyObject>; isAway: boolean } {
  const keys = new Map<string, KeyObject>()
  return {
    keys,
    isAway: false,
    async create(modulusBits) {
      const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: modulusBits })
      const reference = `key/${keys.size + 1}`
      keys.set(reference, privateKey)
      return {
        reference,
        publicKey: await importPublicKey(publicKey.export({ type: "spki", format: "der" })),
      }
    },
    unwrap(reference, encryptedKey) {
      const key = keys.get(reference)
      if (this.isAway || !key) throw new Error("not reached")
      return privateDecrypt(
        { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
        encryptedKey,
      )
    },
    async destroy(reference) {
      keys.delete(reference)
    },
  }
}

describe("a ring in a key service", () => {
  test("has the service make, use and destroy its keys", async () => {
    const kms = service()
    const made = (current = fleet({ protection: { service: kms } }))
    const ring = await made.server()
    const other = await made.server()
    const envelope = await sealBy(ring)
    expect(await openBy(other, envelope)).toBe("hello")
    await ring.rotate()
    expect([...kms.keys.keys()]).toEqual(["key/1", "key/2"])
    made.clock.advance(50_000 + 97_000)
    await other.refresh()
    expect([...kms.keys.keys()]).toEqual(["key/2"])
    expect((await made.store.load("ring"))?.text).not.toContain('"d"')
    expect(await errorOf(ring.add({} as never))).toBeInstanceOf(TypeError)
  })

  test("keeps no key that two servers made for one rotation", async () => {
    const kms = service()
    const made = (current = fleet({ protection: { service: kms } }))
    const rings = [await made.server(), await made.server(), await made.server()]
    made.clock.advance(950_000)
    await Promise.all(rings.map((ring) => ring.refresh()))
    expect(kms.keys.size).toBe(2)
  })

  test("publishes no public key that the service's key does not fit: of whoever can write the store", async () => {
    const kms = service()
    const made = (current = fleet({ protection: { service: kms } }))
    await made.server()
    const { text = "" } = (await made.store.load("ring")) ?? {}
    const mallory = await service().create(TERMS.modulusBits)
    const changed = JSON.parse(text) as { keys: { kid: string; kept: { text: string } }[] }
    const { exportJwk } = await import("../../src/keys/export-jwk.ts")
    const [first] = changed.keys
    if (first) {
      first.kid = mallory.publicKey.kid
      first.kept.text = JSON.stringify({ reference: "key/1", jwk: await exportJwk(mallory.publicKey) })
    }
    await made.store.save("ring", JSON.stringify(changed), 2)
    expect(await errorOf(made.server())).toMatchObject({ code: expect.stringMatching(/ERR_KEY/) })
  })

  test("says when the service is away", async () => {
    const kms = service()
    const made = (current = fleet({ protection: { service: kms } }))
    await made.server()
    kms.isAway = true
    expect(await errorOf(made.server())).toMatchObject({ code: "ERR_KEY_UNAVAILABLE" })
  })

  test("is backed up as the names of its keys", async () => {
    const kms = service()
    const made = (current = fleet({ protection: { service: kms } }))
    const ring = await made.server()
    const backup = await ring.backup("in the safe")
    const store = memoryKeyRingStore()
    const protection = { service: kms }
    await restoreKeyRing({ store, protection, clock: made.clock, backup, passphrase: "in the safe" })
    const restored = await openKeyRing({ store, protection, clock: made.clock })
    expect(await openBy(restored, await sealBy(ring))).toBe("hello")
    await restored.close()
  })
})
