/**
 * `EncryptedPrivateKeyInfo` (RFC 5958 §3) under PBES2 (RFC 8018 §6.2): DER ⇄ fields, no cryptography.
 * One scheme only, PBKDF2 with HMAC-SHA-2 and AES-CBC; what OpenSSL writes by default is within it.
 *
 * @module
 */

import { Integer, Null, ObjectIdentifier, OctetString, Sequence, type BaseBlock, fromBER } from "asn1js"

import type { Bytes } from "../base/bytes.ts"
import { refuseKey } from "./jwk.ts"

const PBES2 = "1.2.840.113549.1.5.13"
const PBKDF2 = "1.2.840.113549.1.5.12"

/** Hash under PBKDF2's HMAC → OID. SHA-1, the default of RFC 8018, is left out on purpose. */
const PRF_OIDS = {
  "SHA-256": "1.2.840.113549.2.9",
  "SHA-384": "1.2.840.113549.2.10",
  "SHA-512": "1.2.840.113549.2.11",
} as const

/** Bits of the AES-CBC key → OID. */
const CIPHER_OIDS = {
  128: "2.16.840.1.101.3.4.1.2",
  192: "2.16.840.1.101.3.4.1.22",
  256: "2.16.840.1.101.3.4.1.42",
} as const

const CIPHER_BITS = [128, 192, 256] as const
const HASHES = ["SHA-256", "SHA-384", "SHA-512"] as const

const IV_BYTES = 16
const MIN_SALT_BYTES = 8
/** Above this, a file from outside could hold a processor for many seconds. */
export const MAX_ITERATIONS = 10_000_000

/** A private key under a passphrase. */
export interface ProtectedKey {
  readonly hash: (typeof HASHES)[number]
  readonly salt: Bytes
  readonly iterations: number
  readonly cipherBits: (typeof CIPHER_BITS)[number]
  /** Whether PBKDF2's parameters repeat the length of the key; they may. */
  readonly statesKeyLength: boolean
  readonly iv: Bytes
  /** PKCS #8 under AES-CBC. */
  readonly encrypted: Bytes
}

const algorithm = (oid: string, parameters: BaseBlock): Sequence =>
  new Sequence({ value: [new ObjectIdentifier({ value: oid }), parameters] })

const octets = (bytes: Bytes): OctetString => new OctetString({ valueHex: bytes })

/** Writes the DER of a key under a passphrase. */
export function serializeProtected(key: ProtectedKey): Bytes {
  const { hash, salt, iterations, cipherBits, statesKeyLength, iv, encrypted } = key
  const derivation = new Sequence({
    value: [
      octets(salt),
      new Integer({ value: iterations }),
      ...(statesKeyLength ? [new Integer({ value: cipherBits / 8 })] : []),
      algorithm(PRF_OIDS[hash], new Null()),
    ],
  })
  const scheme = new Sequence({
    value: [algorithm(PBKDF2, derivation), algorithm(CIPHER_OIDS[cipherBits], octets(iv))],
  })
  return new Uint8Array(new Sequence({ value: [algorithm(PBES2, scheme), octets(encrypted)] }).toBER())
}

/** One DER value that is a SEQUENCE and fills `der`; undefined for anything else. */
function parseSequence(der: Bytes): Sequence | undefined {
  try {
    // without copying, because the bytes may be a secret that the caller wipes
    const { offset, result } = fromBER(der, {
      maxDepth: 8,
      maxNodes: 64,
      parseEmbedded: false,
      copyInput: false,
    })
    return offset === der.length && result instanceof Sequence ? result : undefined
  } catch {
    return undefined
  }
}

const membersOf = (block: BaseBlock | undefined): readonly BaseBlock[] =>
  block instanceof Sequence ? block.valueBlock.value : []

const oidOf = (block: BaseBlock | undefined): string =>
  block instanceof ObjectIdentifier ? block.getValue() : ""

const octetsOf = (block: BaseBlock | undefined): Bytes =>
  new Uint8Array(block instanceof OctetString ? block.getValue() : new ArrayBuffer(0))

const integerOf = (block: BaseBlock | undefined): number =>
  block instanceof Integer ? Number(block.toBigInt()) : 0

/** Takes the fields from their places; nothing is known yet about what else is there. */
function readFields(root: Sequence): ProtectedKey {
  const [schemeId, encrypted] = membersOf(root)
  const [schemeOid, scheme] = membersOf(schemeId)
  const [derivationId, cipherId] = membersOf(scheme)
  const [derivationOid, derivation] = membersOf(derivationId)
  const [cipherOid, iv] = membersOf(cipherId)
  const [salt, iterations, ...rest] = membersOf(derivation)
  const [prfOid] = membersOf(rest.at(-1))
  const hash = HASHES.find((name) => PRF_OIDS[name] === oidOf(prfOid))
  const cipherBits = CIPHER_BITS.find((bits) => CIPHER_OIDS[bits] === oidOf(cipherOid))
  if (oidOf(schemeOid) !== PBES2 || oidOf(derivationOid) !== PBKDF2 || !hash || !cipherBits) {
    refuseKey(
      "a passphrase is accepted under PBES2 with PBKDF2, HMAC-SHA-256 (or 384, 512) and AES-CBC only; " +
        "convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 600000`",
    )
  }
  return {
    hash,
    salt: octetsOf(salt),
    iterations: integerOf(iterations),
    cipherBits,
    statesKeyLength: rest.length > 1,
    iv: octetsOf(iv),
    encrypted: octetsOf(encrypted),
  }
}

const equal = (a: Bytes, b: Bytes): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])

/**
 * Reads the DER of a key under a passphrase.
 *
 * @throws `SealwireError` `ERR_KEY` for another scheme, more than {@link MAX_ITERATIONS}, or anything that is not its DER.
 */
export function parseProtected(der: Bytes): ProtectedKey {
  const root = parseSequence(der)
  if (!root) refuseKey("not the DER of a key under a passphrase")
  const key = readFields(root)
  const { iterations, salt, iv, encrypted } = key
  if (iterations < 1 || iterations > MAX_ITERATIONS) {
    refuseKey(`PBKDF2 must have 1 to ${MAX_ITERATIONS} iterations`)
  }
  const blocks = encrypted.length / IV_BYTES
  const sized =
    salt.length >= MIN_SALT_BYTES && iv.length === IV_BYTES && blocks >= 1 && Number.isInteger(blocks)
  // members that were not read, other lengths of lengths, trailing bytes: none of them survives being written again
  if (!sized || !equal(serializeProtected(key), der)) refuseKey("not the DER of a key under a passphrase")
  return key
}

/** Whether bytes have the outer form of PKCS #8, which a wrong passphrase does not give. */
export function isPkcs8(der: Bytes): boolean {
  const [version, algorithmId, privateKey] = membersOf(parseSequence(der))
  return version instanceof Integer && algorithmId instanceof Sequence && privateKey instanceof OctetString
}
