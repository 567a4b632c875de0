import { execFileSync } from "node:child_process"
import { constants, generateKeyPairSync, privateDecrypt, publicEncrypt, randomBytes } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import type { KeyService } from "../../src/key-ring.ts"
import { errorOf } from "../support/reader.ts"
import { fleet, openBy, sealBy } from "../support/key-rings.ts"
import { azureTransport, googleDouble, startAwsDouble, Vault } from "../support/kms-doubles.ts"
import { notRun } from "../support/not-run.ts"

/** A module of examples/kms, whose packages are an install of their own. */
const example = async (name: string): Promise<Record<string, never>> =>
  (await import(/* @vite-ignore */ resolve(`examples/kms/${name}.ts`))) as Record<string, never>

const installed = createRequire(resolve("examples/kms/package.json"))
function hasPackage(name: string): boolean {
  try {
    installed.resolve(name)
    return true
  } catch {
    return false
  }
}

type Make = (...args: unknown[]) => KeyService

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

const LIBRARY = "/usr/lib/softhsm/libsofthsm2.so"
const noHsm = existsSync(LIBRARY) ? !hasPackage("pkcs11js") && "examples/kms" : "softhsm2"
if (noHsm) notRun("a ring in SoftHSM", noHsm)

describe.skipIf(noHsm)("PKCS #11, with SoftHSM", () => {
  const folder = mkdtempSync(join(tmpdir(), "sealwire-hsm-"))
  beforeAll(() => {
    mkdirSync(join(folder, "tokens"))
    const config = join(folder, "softhsm2.conf")
    writeFileSync(
      config,
      `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`,
    )
    process.env["SOFTHSM2_CONF"] = config
    const pins = ["--pin", "1234", "--so-pin", "12345678"]
    execFileSync("softhsm2-util", ["--init-token", "--free", "--label", "sealwire", ...pins], {
      stdio: "pipe",
    })
  })
  afterAll(() => {
    delete process.env["SOFTHSM2_CONF"]
    rmSync(folder, { recursive: true, force: true })
  })

  test("makes, uses and destroys keys that never leave the token", { timeout: 120_000 }, async () => {
    const { pkcs11KeyService } = (await example("pkcs11")) as unknown as Record<
      string,
      (o: object) => KeyService & { close(): void }
    >
    const service = pkcs11KeyService?.({
      library: LIBRARY,
      tokenLabel: "sealwire",
      pin: "1234",
      mechanism: "raw",
    })
    if (!service) throw new Error("no service")
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
    service.close()
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
    ((await example("oaep")) as unknown as Record<string, (bytes: Uint8Array) => Uint8Array>)["removeOaep"]?.(
      encoded,
    ) ?? new Uint8Array()

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

const noAws = !hasPackage("@aws-sdk/client-kms") && "examples/kms"
if (noAws) notRun("a ring in AWS KMS", noAws)

test.skipIf(noAws)("AWS KMS: a ring by its client, over HTTP", { timeout: 60_000 }, async () => {
  const vault = new Vault()
  const double = await startAwsDouble(vault)
  const { KMSClient } = installed("@aws-sdk/client-kms") as { KMSClient: new (options: object) => object }
  const { awsKeyService } = (await example("aws")) as unknown as Record<string, Make>
  const credentials = { accessKeyId: "id", secretAccessKey: "secret" }
  const client = new KMSClient({
    endpoint: double.endpoint,
    region: "eu-central-1",
    credentials,
    maxAttempts: 1,
  })
  const service = awsKeyService?.(client)
  if (!service) throw new Error("no service")
  await expectLife(
    service,
    () => vault.keys.size,
    (isAway) => (vault.isAway = isAway),
  )
  double.close()
})

test.skipIf(noAws)("Google Cloud KMS: a ring by the methods of its client", { timeout: 60_000 }, async () => {
  const vault = new Vault()
  const { googleKeyService } = (await example("google")) as unknown as Record<string, Make>
  const service = googleKeyService?.(googleDouble(vault), { parent: "projects/p/locations/l/keyRings/r" })
  if (!service) throw new Error("no service")
  await expectLife(
    service,
    () => vault.keys.size,
    (isAway) => (vault.isAway = isAway),
  )
})

const noAzure = !hasPackage("@azure/keyvault-keys") && "examples/kms"
if (noAzure) notRun("a ring in Azure Key Vault", noAzure)

test.skipIf(noAzure)(
  "Azure Key Vault: a ring by its clients, over their transport",
  { timeout: 60_000 },
  async () => {
    const vault = new Vault()
    const { createHttpHeaders } = createRequire(installed.resolve("@azure/keyvault-keys"))(
      "@azure/core-rest-pipeline",
    ) as {
      createHttpHeaders: (init: Record<string, string>) => unknown
    }
    const { azureKeyService } = (await example("azure")) as unknown as Record<string, Make>
    const credential = {
      getToken: async () => ({ token: "token", expiresOnTimestamp: Date.now() + 3_600_000 }),
    }
    const httpClient = azureTransport(vault, createHttpHeaders)
    const options = { httpClient, retryOptions: { maxRetries: 0 } }
    const service = azureKeyService?.("https://sealwire.vault.azure.net", credential, options)
    if (!service) throw new Error("no service")
    await expectLife(
      service,
      () => vault.keys.size,
      (isAway) => (vault.isAway = isAway),
    )
  },
)
