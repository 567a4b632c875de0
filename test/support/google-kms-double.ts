/**
 * Google Cloud KMS in this process, as the methods of its client. It refuses what the service refuses: unknown keys, what is no version of
 * a key, another purpose than the key has, messages that are too long, and what was damaged on the way.
 *
 * @module
 */

import { decryptOaep, hmacSha256, type Vault, type VaultKey } from "./kms-vault.ts"

/** What may happen to a question or an answer on the way, and to what is asked for. */
export type Damage = "none" | "request" | "sum" | "answer" | "name"

interface Sum {
  readonly value: number | string
}

const INVALID_ARGUMENT = 3
const NOT_FOUND = 5
const FAILED_PRECONDITION = 9
const UNAVAILABLE = 14

/** Of keys in an HSM; others take more. */
const MAX_DATA_BYTES = 16_384
const VERSION =
  /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+\/cryptoKeyVersions\/\d+$/

const rpcError = (code: number): Error => Object.assign(new Error(`${code}`), { code })

/** The client's methods; `checksum` is CRC-32C. */
export class GoogleKmsDouble {
  readonly #vault: Vault
  readonly #checksum: (bytes: Uint8Array) => number
  damage: Damage = "none"
  /** Whether keys take a while to be made, as in an HSM. */
  isSlow = false
  #isReady = true

  constructor(vault: Vault, checksum: (bytes: Uint8Array) => number) {
    this.#vault = vault
    this.#checksum = checksum
  }

  #keyFor(name: string, purpose: string): VaultKey {
    if (this.#vault.isAway) throw rpcError(UNAVAILABLE)
    if (!VERSION.test(name)) throw rpcError(INVALID_ARGUMENT)
    const key = this.#vault.keys.get(name)
    if (!key) throw rpcError(NOT_FOUND)
    if (key.use !== purpose) throw rpcError(FAILED_PRECONDITION)
    return key
  }

  /** Whether a sum came. */
  #receive(bytes: Uint8Array, sum: Sum | undefined): boolean {
    if (this.damage === "request") return false
    if (sum && String(sum.value) !== String(this.#checksum(bytes))) throw rpcError(INVALID_ARGUMENT)
    return sum !== undefined
  }

  #send(bytes: Buffer): { readonly bytes: Buffer; readonly sum: Sum | null } {
    const sum = this.damage === "sum" ? null : { value: String(this.#checksum(bytes)) }
    if (this.damage !== "answer") return { bytes, sum }
    const damaged = Buffer.from(bytes)
    damaged[0] = (damaged[0] ?? 0) ^ 1
    return { bytes: damaged, sum }
  }

  async createCryptoKey(request: {
    readonly parent: string
    readonly cryptoKeyId: string
    readonly cryptoKey: { readonly purpose: string; readonly versionTemplate: { readonly algorithm: string } }
  }): Promise<[{ name: string }]> {
    const { purpose, versionTemplate } = request.cryptoKey
    const name = `${request.parent}/cryptoKeys/${request.cryptoKeyId}`
    const version = `${name}/cryptoKeyVersions/1`
    const [, bits] = /^RSA_DECRYPT_OAEP_(2048|3072|4096)_SHA256$/.exec(versionTemplate.algorithm) ?? []
    if (purpose === "ASYMMETRIC_DECRYPT" && bits) this.#vault.makePair(version, Number(bits), purpose)
    else if (purpose === "MAC" && versionTemplate.algorithm === "HMAC_SHA256")
      this.#vault.makeSecret(version, purpose)
    else throw rpcError(INVALID_ARGUMENT)
    this.#isReady = !this.isSlow
    return [{ name }]
  }

  async getPublicKey({ name }: { name: string }): Promise<[object]> {
    this.#keyFor(name, "ASYMMETRIC_DECRYPT")
    const wasReady = this.#isReady
    this.#isReady = true
    if (!wasReady) throw rpcError(FAILED_PRECONDITION)
    const pem = this.#vault.publicOf(name).export({ type: "spki", format: "pem" })
    const { bytes, sum } = this.#send(Buffer.from(pem))
    return [{ name: this.damage === "name" ? "" : name, pem: bytes.toString(), pemCrc32c: sum }]
  }

  async asymmetricDecrypt(request: {
    readonly name: string
    readonly ciphertext: Uint8Array
    readonly ciphertextCrc32c?: Sum
  }): Promise<[object]> {
    const key = this.#keyFor(request.name, "ASYMMETRIC_DECRYPT")
    const verifiedCiphertextCrc32c = this.#receive(request.ciphertext, request.ciphertextCrc32c)
    const plaintext = decryptOaep(key, request.ciphertext)
    if (!plaintext) throw rpcError(INVALID_ARGUMENT)
    const { bytes, sum } = this.#send(plaintext)
    return [{ plaintext: bytes, plaintextCrc32c: sum, verifiedCiphertextCrc32c }]
  }

  async macSign(request: {
    readonly name: string
    readonly data: Uint8Array
    readonly dataCrc32c?: Sum
  }): Promise<[object]> {
    const key = this.#keyFor(request.name, "MAC")
    if (request.data.length > MAX_DATA_BYTES) throw rpcError(INVALID_ARGUMENT)
    const verifiedDataCrc32c = this.#receive(request.data, request.dataCrc32c)
    const { bytes, sum } = this.#send(hmacSha256(key, request.data))
    const name = this.damage === "name" ? `${request.name}0` : request.name
    return [{ name, mac: bytes, macCrc32c: sum, verifiedDataCrc32c, protectionLevel: "HSM" }]
  }

  async destroyCryptoKeyVersion({ name }: { name: string }): Promise<[object]> {
    this.#vault.keys.delete(name)
    return [{ name }]
  }
}
