import { constants, generateKeyPairSync, privateDecrypt, publicEncrypt, randomBytes } from "node:crypto"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import type { KeyService } from "../../src/key-ring.ts"
import { fleet, openBy, sealBy } from "../support/key-rings.ts"
import {
  azureArguments,
  fromExample,
  googleService,
  HSM_OPTIONS,
  missingHsm,
  missingPackage,
  startAws,
  startSoftHsm,
} from "../support/kms-examples.ts"
import { Vault } from "../support/kms-vault.ts"
import { notRun } from "../support/not-run.ts"
import { errorOf } from "../support/reader.ts"

/** Everything that a ring asks of a service, through a ring. */
async function expectLife(
  service: KeyService,
  count: () => number,
  hide?: (isAway: boolean) => void,
): Promise<void> {
  const made = fleet({ protection: { service } })
  try {
    const ring = await made.server()
    const envelope = await sealBy(ring)
    expect(await openBy(ring, envelope)).toBe("hello")
    await ring.rotate()
    made.clock.advance(50_000)
    const other = await made.server()
    expect(await openBy(other, await sealBy(ring))).toBe("hello")
    expect(await openBy(other, envelope)).toBe("hello")
    expect(count()).toBe(2)

    // another content key, and none at all
    const [head, , ...rest] = envelope.split(".")
    const publicKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey
    const oaep = { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }
    const foreign = publicEncrypt(oaep, randomBytes(32)).toString("base64url")
    // the last is no number below any modulus, which a token may say in a way of its own
    for (const encryptedKey of [foreign, Buffer.alloc(256, 0xff).toString("base64url")]) {
      const forged = [head, encryptedKey, ...rest].join(".")
      expect(await errorOf(openBy(ring, forged))).toMatchObject({ code: "ERR_OPEN_FAILED" })
    }
    hide?.(true)
    if (hide) expect(await errorOf(openBy(ring, envelope))).toMatchObject({ code: "ERR_KEY_UNAVAILABLE" })
    hide?.(false)

    made.clock.advance(97_000)
    await ring.refresh()
    expect(count()).toBe(1)
  } finally {
    await made.close()
  }
}

const noHsm = missingHsm()
if (noHsm) notRun("a ring in SoftHSM", noHsm)

describe.skipIf(noHsm)("PKCS #11, with SoftHSM", () => {
  let token: ReturnType<typeof startSoftHsm>
  beforeAll(() => {
    token = startSoftHsm()
  })
  afterAll(() => {
    token.remove()
  })

  test("makes, uses and destroys keys that never leave the token", { timeout: 120_000 }, async () => {
    const service = (await fromExample("pkcs11", "pkcs11KeyService"))(HSM_OPTIONS)
    const references = new Set<string>()
    const counted: KeyService = {
      async create(bits) {
        const key = await service.create(bits)
        references.add(key.reference)
        return key
      },
      unwrap: (reference, encryptedKey) => service.unwrap(reference, encryptedKey),
      async destroy(reference) {
        await service.destroy?.(reference)
        expect(await errorOf(Promise.resolve(service.unwrap(reference, randomBytes(256))))).toMatchObject({
          message: expect.stringContaining("does not have that key"),
        })
        references.delete(reference)
      },
    }
    await expectLife(counted, () => references.size)
    service.close?.()
  })
})

describe("OAEP undone by hand", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const encodedOf = (message: Buffer, oaepHash = "sha256"): Buffer => {
    const wrapped = publicEncrypt(
      { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash },
      message,
    )
    return privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, wrapped)
  }
  const remove = async (encoded: Uint8Array): Promise<Uint8Array> =>
    (await fromExample<(bytes: Uint8Array) => Uint8Array>("oaep", "removeOaep"))(encoded)

  test("gives the content key, and nothing for another length, hash or any changed byte", async () => {
    const message = randomBytes(32)
    const encoded = encodedOf(message)
    expect(Buffer.from(await remove(encoded))).toEqual(message)
    for (const other of [
      encodedOf(randomBytes(31)),
      encodedOf(randomBytes(33)),
      encodedOf(message, "sha1"),
    ]) {
      await expect(remove(other)).rejects.toThrow("decryption error")
    }
    for (let at = 0; at < encoded.length; at++) {
      const changed = Buffer.from(encoded)
      changed[at] = (changed[at] ?? 0) ^ 1
      await expect(remove(changed)).rejects.toThrow("decryption error")
    }
  })
})

const noAws = missingPackage("@aws-sdk/client-kms")
if (noAws) notRun("a ring in AWS KMS", noAws)

test.skipIf(noAws)("AWS KMS: a ring by its client, over HTTP", async () => {
  const vault = new Vault()
  const aws = await startAws(vault)
  const service = (await fromExample("aws", "awsKeyService"))(aws.client)
  await expectLife(
    service,
    () => vault.keys.size,
    (isAway) => (vault.isAway = isAway),
  )
  aws.close()
})

describe("Google Cloud KMS", () => {
  test("has a ring by the methods of its client", async () => {
    const vault = new Vault()
    const { double, serve } = await googleService(vault)
    double.isSlow = true
    await expectLife(
      serve(),
      () => vault.keys.size,
      (isAway) => (vault.isAway = isAway),
    )
  })

  test.each(["request", "sum", "answer"] as const)(
    "says nothing of a message when a content key was damaged on the way: %s",
    async (damage) => {
      const { double, serve } = await googleService(new Vault())
      const made = fleet({ protection: { service: serve() } })
      const ring = await made.server()
      const envelope = await sealBy(ring)
      double.damage = damage
      expect(await errorOf(openBy(ring, envelope))).toMatchObject({ code: "ERR_KEY_UNAVAILABLE" })
      double.damage = "none"
      expect(await openBy(ring, envelope)).toBe("hello")
      await made.close()
    },
  )

  test.each(["sum", "name"] as const)(
    "gives no public key that was damaged on the way: %s",
    async (damage) => {
      const { double, serve } = await googleService(new Vault())
      double.damage = damage
      expect(await errorOf(serve().create(2048))).toMatchObject({ code: "ERR_KEY_UNAVAILABLE" })
    },
  )
})

const noAzure = missingPackage("@azure/keyvault-keys")
if (noAzure) notRun("a ring in Azure Key Vault", noAzure)

test.skipIf(noAzure)("Azure Key Vault: a ring by its clients, over their transport", async () => {
  const vault = new Vault()
  const azureKeyService = await fromExample("azure", "azureKeyService")
  const service = azureKeyService("https://sealwire.vault.azure.net", ...azureArguments(vault))
  await expectLife(
    service,
    () => vault.keys.size,
    (isAway) => (vault.isAway = isAway),
  )
})
