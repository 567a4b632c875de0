/**
 * The modules of examples/kms, whose packages are an install of their own, and what they are tested with.
 *
 * @module
 */

import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

import type { KeyService } from "../../src/key-ring.ts"
import { startAwsKms } from "./aws-kms-double.ts"
import { azureTransport } from "./azure-vault-double.ts"
import { GoogleKmsDouble } from "./google-kms-double.ts"
import type { Vault } from "./kms-vault.ts"

/** A service of an example, which may hold a token open. */
export type ExampleService = KeyService & { close?(): void }
type Make = (...args: unknown[]) => ExampleService
/** CRC-32C. */
export type Checksum = (bytes: Uint8Array) => number

/** What a module of the examples exports by a name. */
export async function fromExample<T = Make>(module: string, name: string): Promise<T> {
  const loaded: unknown = await import(/* @vite-ignore */ resolve(`examples/kms/${module}.ts`))
  const found = (loaded as Record<string, T | undefined>)[name]
  if (found === undefined) throw new Error(`examples/kms/${module}.ts has no ${name}`)
  return found
}

/** `require` as the examples have it. */
export const requireOfExamples: NodeJS.Require = createRequire(resolve("examples/kms/package.json"))

/** What is missing for a test with this package. */
export function missingPackage(name: string): string | false {
  try {
    requireOfExamples.resolve(name)
    return false
  } catch {
    return "examples/kms"
  }
}

const LIBRARY = "/usr/lib/softhsm/libsofthsm2.so"
const TOKEN = { tokenLabel: "sealwire", pin: "1234" }

/** What is missing for a test with SoftHSM. */
export const missingHsm = (): string | false =>
  existsSync(LIBRARY) ? missingPackage("pkcs11js") : "softhsm2"

/** How the example reaches the token. */
export const HSM_OPTIONS: typeof TOKEN & { readonly library: string; readonly mechanism: "raw" } = {
  library: LIBRARY,
  ...TOKEN,
  mechanism: "raw",
}

/** What is used of pkcs11js, besides its constants. */
interface Pkcs11 {
  load(library: string): void
  C_Initialize(): void
  C_GetSlotList(isTokenPresent: boolean): Buffer[]
  C_GetTokenInfo(slot: Buffer): { readonly label: string }
  C_OpenSession(slot: Buffer, flags: number): Buffer
  C_Login(session: Buffer, user: number, pin: string): void
  C_GenerateKey(session: Buffer, mechanism: object, template: object[]): Buffer
  C_Finalize(): void
}

/** Makes a key in the token as `pkcs11-tool --keygen --key-type GENERIC:32 --usage-sign --sensitive` does. */
export function makeHsmSecret(label: string): void {
  const { PKCS11 } = requireOfExamples("pkcs11js") as { PKCS11: new () => Pkcs11 }
  const ck = requireOfExamples("pkcs11js") as Readonly<Record<string, number>>
  const token = new PKCS11()
  token.load(LIBRARY)
  token.C_Initialize()
  const slots = token.C_GetSlotList(true)
  const slot = slots.find((each) => token.C_GetTokenInfo(each).label.trim() === TOKEN.tokenLabel)
  if (!slot) throw new Error("no token")
  const session = token.C_OpenSession(slot, Number(ck["CKF_SERIAL_SESSION"]) | Number(ck["CKF_RW_SESSION"]))
  token.C_Login(session, Number(ck["CKU_USER"]), TOKEN.pin)
  const attributes = {
    CKA_CLASS: ck["CKO_SECRET_KEY"],
    CKA_KEY_TYPE: ck["CKK_GENERIC_SECRET"],
    CKA_TOKEN: true,
    CKA_LABEL: label,
    CKA_VALUE_LEN: 32,
    CKA_SIGN: true,
    CKA_SENSITIVE: true,
    CKA_EXTRACTABLE: false,
  }
  const template = Object.entries(attributes).map(([name, value]) => ({ type: ck[name], value }))
  token.C_GenerateKey(session, { mechanism: ck["CKM_GENERIC_SECRET_KEY_GEN"] }, template)
  token.C_Finalize()
}

/** Makes a token in a folder of its own, for this process. */
export function startSoftHsm(): { remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "sealwire-hsm-"))
  mkdirSync(join(folder, "tokens"))
  const config = join(folder, "softhsm2.conf")
  writeFileSync(
    config,
    `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`,
  )
  process.env["SOFTHSM2_CONF"] = config
  const args = ["--init-token", "--free", "--label", TOKEN.tokenLabel, "--pin", TOKEN.pin]
  execFileSync("softhsm2-util", [...args, "--so-pin", "12345678"], { stdio: "pipe" })
  return {
    remove() {
      delete process.env["SOFTHSM2_CONF"]
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** AWS's client, as far as tests call it. */
export interface AwsClient {
  send(command: object): Promise<{ readonly KeyMetadata?: { readonly Arn?: string } }>
}

/** AWS's client to a double that is served for it. */
export async function startAws(vault: Vault): Promise<{ client: AwsClient; close(): void }> {
  const { endpoint, close } = await startAwsKms(vault)
  const { KMSClient } = requireOfExamples("@aws-sdk/client-kms") as {
    KMSClient: new (options: object) => AwsClient
  }
  const credentials = { accessKeyId: "id", secretAccessKey: "secret" }
  return { client: new KMSClient({ endpoint, region: "eu-central-1", credentials, maxAttempts: 1 }), close }
}

/** The example for Google, over its double. */
export async function googleService(
  vault: Vault,
): Promise<{ double: GoogleKmsDouble; parent: string; serve(options?: object): ExampleService }> {
  const double = new GoogleKmsDouble(vault, await fromExample<Checksum>("crc32c", "crc32c"))
  const googleKeyService = await fromExample("google", "googleKeyService")
  const parent = "projects/p/locations/l/keyRings/r"
  return { double, parent, serve: (options) => googleKeyService(double, { parent, ...options }) }
}

/** The arguments of Azure's clients but the address, with a transport to a double. */
export function azureArguments(vault: Vault): readonly [credential: object, options: object] {
  const ofClients = createRequire(requireOfExamples.resolve("@azure/keyvault-keys"))
  const { createHttpHeaders } = ofClients("@azure/core-rest-pipeline") as {
    createHttpHeaders: (init: Record<string, string>) => unknown
  }
  const getToken = async (): Promise<object> => ({
    token: "token",
    expiresOnTimestamp: Date.now() + 3_600_000,
  })
  const options = { httpClient: azureTransport(vault, createHttpHeaders), retryOptions: { maxRetries: 0 } }
  return [{ getToken }, options]
}
