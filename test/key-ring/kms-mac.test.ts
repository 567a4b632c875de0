import { randomUUID } from "node:crypto"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import {
  type KeyRingManager,
  type KeyService,
  manageKeyRing,
  memoryKeyRingStore,
  restoreKeyRing,
} from "../../src/key-ring.ts"
import { fleet, loadRing, showing, type StoredText } from "../support/key-rings.ts"
import {
  type AwsClient,
  azureArguments,
  type Checksum,
  type ExampleService,
  fromExample,
  googleService,
  HSM_OPTIONS,
  makeHsmSecret,
  missingHsm,
  missingPackage,
  requireOfExamples,
  startAws,
  startSoftHsm,
} from "../support/kms-examples.ts"
import { Vault } from "../support/kms-vault.ts"
import { notRun } from "../support/not-run.ts"
import { errorOf } from "../support/reader.ts"

/** Two MAC keys of one service, or none. */
type MacKey = "own" | "other" | "none"

const changedByOthers = {
  code: "ERR_KEY",
  message: expect.stringContaining("changed by somebody without it") as string,
}

const macOf = async (service: ExampleService, bytes: number): Promise<Uint8Array> =>
  (await service.mac?.(new Uint8Array(bytes))) ?? new Uint8Array()

/** Whatever a ring promises of its text: with one MAC key, with another one and with none. */
async function expectAuthentic(serve: (macKey: MacKey) => ExampleService): Promise<void> {
  const own = serve("own")
  const made = fleet({ protection: { service: own } })
  const macs = [await macOf(own, 32), await macOf(own, 32), await macOf(own, 33)].map(String)
  expect(macs[1]).toBe(macs[0])
  expect(macs[2]).not.toBe(macs[0])
  const manage = (stored: StoredText, service: KeyService): Promise<KeyRingManager> =>
    manageKeyRing({ store: showing(stored), protection: { service }, clock: made.clock })

  const ring = await made.server()
  expect(ring.authenticity).toBe("verified")
  await ring.hold(ring.published()[0]?.kid ?? "", "files")
  expect(ring.authenticity).toBe("verified")
  const stored = await loadRing(made)
  expect((await manage(stored, own)).authenticity).toBe("verified")

  const changed = { ...stored, text: stored.text.replace('"heldFor":"files"', '"heldFor":"nothing"') }
  const later = { ...stored, version: stored.version + 1 }
  for (const forged of [changed, later])
    expect(await errorOf(manage(forged, own))).toMatchObject(changedByOthers)
  await made.close()
  own.close?.()

  const other = serve("other")
  expect(await errorOf(manage(stored, other))).toMatchObject(changedByOthers)
  other.close?.()
  const none = serve("none")
  expect(await errorOf(manage(stored, none))).toMatchObject({
    code: "ERR_KEY",
    message: expect.stringContaining("has no key for that") as string,
  })
  none.close?.()
}

const noHsm = missingHsm()
if (noHsm) notRun("the MAC of a ring in SoftHSM", noHsm)

describe.skipIf(noHsm)("a MAC by PKCS #11, with SoftHSM", () => {
  let token: ReturnType<typeof startSoftHsm>
  let serve: (macKeyLabel?: string) => ExampleService
  beforeAll(async () => {
    token = startSoftHsm()
    const pkcs11KeyService = await fromExample("pkcs11", "pkcs11KeyService")
    serve = (macKeyLabel) => pkcs11KeyService({ ...HSM_OPTIONS, ...(macKeyLabel && { macKeyLabel }) })
    for (const label of ["own", "other", "twice", "twice"]) makeHsmSecret(label)
  })
  afterAll(() => {
    token.remove()
  })

  test("proves a ring, and with no other key", async () => {
    await expectAuthentic((macKey) => serve(macKey === "none" ? undefined : macKey))
  })

  test.each([
    ["no key", "nothing"],
    ["two keys", "twice"],
  ])("is not made with a label that %s of the token have", async (_, label) => {
    const service = serve(label)
    await expect(macOf(service, 32)).rejects.toThrow(`exactly one secret key called ${label}`)
    service.close?.()
  })
})

const noAws = missingPackage("@aws-sdk/client-kms")
if (noAws) notRun("the MAC of a ring in AWS KMS", noAws)

describe.skipIf(noAws)("a MAC by AWS KMS", () => {
  let aws: Awaited<ReturnType<typeof startAws>>
  let serve: (options?: { readonly macKeyId?: string }) => ExampleService
  beforeAll(async () => {
    aws = await startAws(new Vault())
    const awsKeyService = await fromExample("aws", "awsKeyService")
    serve = (options) => awsKeyService(aws.client, options)
  })
  afterAll(() => {
    aws.close()
  })

  /** As `aws kms create-key` does. */
  async function makeKey(client: AwsClient, KeyUsage: string, KeySpec: string): Promise<string> {
    const { CreateKeyCommand } = requireOfExamples("@aws-sdk/client-kms") as {
      CreateKeyCommand: new (input: object) => object
    }
    return (await client.send(new CreateKeyCommand({ KeyUsage, KeySpec }))).KeyMetadata?.Arn ?? ""
  }
  const makeMacKey = (client = aws.client): Promise<string> =>
    makeKey(client, "GENERATE_VERIFY_MAC", "HMAC_256")

  test("proves a ring, and with no other key", async () => {
    const ids = { own: await makeMacKey(), other: await makeMacKey() }
    await expectAuthentic((macKey) => serve(macKey === "none" ? {} : { macKeyId: ids[macKey] }))
  })

  test("has its key replaced by a backup, also when the key was lost", async () => {
    const vault = new Vault()
    const { client, close } = await startAws(vault)
    const awsKeyService = await fromExample("aws", "awsKeyService")
    const [lost, next] = [await makeMacKey(client), await makeMacKey(client)]
    const made = fleet({ protection: { service: awsKeyService(client, { macKeyId: lost }) } })
    const ring = await made.server()
    vault.keys.delete(lost)
    const backup = await ring.backup("zwölf Boxkämpfer")
    const moved = {
      store: memoryKeyRingStore(),
      protection: { service: awsKeyService(client, { macKeyId: next }) },
    }
    await restoreKeyRing({ ...moved, clock: made.clock, backup, passphrase: "zwölf Boxkämpfer" })
    const restored = await made.server({ ...moved, create: false })
    expect(restored.authenticity).toBe("verified")
    expect(restored.published()[0]?.kid).toBe(ring.published()[0]?.kid)
    await made.close()
    close()
  })

  test("is not made with a key that encrypts, with none, or of more than 4,096 bytes", async () => {
    const forMessages = await makeKey(aws.client, "ENCRYPT_DECRYPT", "RSA_2048")
    expect(await errorOf(macOf(serve({ macKeyId: forMessages }), 32))).toMatchObject({
      name: "InvalidKeyUsageException",
    })
    expect(await errorOf(macOf(serve({ macKeyId: "arn:aws:kms:none" }), 32))).toMatchObject({
      name: "NotFoundException",
    })
    const service = serve({ macKeyId: await makeMacKey() })
    expect(await macOf(service, 4096)).toHaveLength(32)
    expect(await errorOf(macOf(service, 4097))).toMatchObject({ name: "ValidationException" })
  })
})

describe("a MAC by Google Cloud KMS", () => {
  /** As `gcloud kms keys create --purpose mac` does. */
  async function start(): Promise<
    Awaited<ReturnType<typeof googleService>> & { makeKey(): Promise<string> }
  > {
    const google = await googleService(new Vault())
    async function makeKey(): Promise<string> {
      const cryptoKey = { purpose: "MAC", versionTemplate: { algorithm: "HMAC_SHA256" } }
      const request = { parent: google.parent, cryptoKeyId: randomUUID(), cryptoKey }
      const [{ name }] = await google.double.createCryptoKey(request)
      return `${name}/cryptoKeyVersions/1`
    }
    return { ...google, makeKey }
  }

  test("proves a ring, and with no other key", async () => {
    const { serve, makeKey } = await start()
    const versions = { own: await makeKey(), other: await makeKey() }
    await expectAuthentic((macKey) => serve(macKey === "none" ? {} : { macKeyVersion: versions[macKey] }))
  })

  test.each(["request", "sum", "answer", "name"] as const)(
    "is not believed when it was damaged on the way: %s",
    async (damage) => {
      const { double, serve, makeKey } = await start()
      const service = serve({ macKeyVersion: await makeKey() })
      double.damage = damage
      expect(await errorOf(macOf(service, 32))).toMatchObject({ code: "ERR_KEY_UNAVAILABLE" })
      double.damage = "none"
      expect(await macOf(service, 32)).toHaveLength(32)
    },
  )

  test("is not made with a key that decrypts, with no version of one, or of more than 16 KiB", async () => {
    const { serve, makeKey } = await start()
    const macKeyVersion = await makeKey()
    const { reference } = await serve().create(2048)
    expect(await errorOf(macOf(serve({ macKeyVersion: reference }), 32))).toMatchObject({ code: 9 })
    const withoutVersion = macKeyVersion.replace("/cryptoKeyVersions/1", "")
    expect(await errorOf(macOf(serve({ macKeyVersion: withoutVersion }), 32))).toMatchObject({ code: 3 })
    expect(await macOf(serve({ macKeyVersion }), 16_384)).toHaveLength(32)
    expect(await errorOf(macOf(serve({ macKeyVersion }), 16_385))).toMatchObject({ code: 3 })
  })

  test("is carried with sums as RFC 3720 has them", async () => {
    const crc32c = await fromExample<Checksum>("crc32c", "crc32c")
    const rising = Uint8Array.from({ length: 32 }, (_, i) => i)
    const sums = [
      new Uint8Array(32),
      new Uint8Array(32).fill(0xff),
      rising,
      Uint8Array.from(rising).reverse(),
    ]
    expect(sums.map(crc32c)).toEqual([0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c])
  })
})

const noAzure = missingPackage("@azure/keyvault-keys")
if (noAzure) notRun("the MAC of a ring in Azure", noAzure)

describe.skipIf(noAzure)("a MAC by Azure", () => {
  const VAULT = "https://sealwire.vault.azure.net"
  const HSM = "https://sealwire.managedhsm.azure.net"

  /** As `az keyvault key create` does. */
  async function start(url: string): Promise<{
    serve: (options?: object) => ExampleService
    makeKey: (kty: string, size: number, ops: string[]) => Promise<string>
  }> {
    const [credential, clients] = azureArguments(new Vault())
    const azureKeyService = await fromExample("azure", "azureKeyService")
    const { KeyClient } = requireOfExamples("@azure/keyvault-keys") as {
      KeyClient: new (...args: unknown[]) => {
        createKey(name: string, kty: string, options: object): Promise<{ id: string }>
      }
    }
    const admin = new KeyClient(url, credential, clients)
    return {
      serve: (options) => azureKeyService(url, credential, { ...clients, ...options }),
      makeKey: async (kty, keySize, keyOps) =>
        (await admin.createKey(`mac-${randomUUID()}`, kty, { keySize, keyOps })).id,
    }
  }

  test.each([
    ["a signature that each digest has one of, in Key Vault", VAULT, "RSA", 2048, "RS256"],
    ["HMAC-SHA-256, in Managed HSM", HSM, "oct-HSM", 256, "HS256"],
  ])("proves a ring, and with no other key: %s", async (_, url, kty, size, macAlgorithm) => {
    const { serve, makeKey } = await start(url)
    const ids = { own: await makeKey(kty, size, ["sign"]), other: await makeKey(kty, size, ["sign"]) }
    await expectAuthentic((macKey) =>
      serve(
        macKey === "none" ? {} : { macKeyId: ids[macKey], ...(macAlgorithm === "HS256" && { macAlgorithm }) },
      ),
    )
  })

  test("is not made by HMAC in Key Vault, which has no symmetric keys", async () => {
    const { serve, makeKey } = await start(VAULT)
    expect(await errorOf(makeKey("oct-HSM", 256, ["sign"]))).toMatchObject({ statusCode: 400 })
    const service = serve({ macKeyId: await makeKey("RSA", 2048, ["sign"]), macAlgorithm: "HS256" })
    expect(await errorOf(macOf(service, 32))).toMatchObject({ statusCode: 400 })
  })

  test("is not made with a key that decrypts, with none, or with whichever version is the last", async () => {
    const { serve, makeKey } = await start(VAULT)
    const { reference } = await serve().create(2048)
    await expect(macOf(serve({ macKeyId: reference }), 32)).rejects.toThrow("Operation sign is not supported")
    expect(await errorOf(macOf(serve({ macKeyId: `${VAULT}/keys/none/v1` }), 32))).toMatchObject({
      statusCode: 404,
    })
    const macKeyId = (await makeKey("RSA", 2048, ["sign"])).replace(/\/v1$/, "")
    expect(() => serve({ macKeyId })).toThrow("options.macKeyId must name a version of the key")
  })
})
