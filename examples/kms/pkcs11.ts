/**
 * Keys in an HSM, by PKCS #11: `openKeyRing({ store, protection: { service: pkcs11KeyService(…) } })`.
 * Tested against SoftHSM.
 */
import { randomBytes } from "node:crypto"

import pkcs11js from "pkcs11js"
import { SealwireError } from "sealwire"
import type { KeyService } from "sealwire/key-ring"
import { importPublicKey } from "sealwire/keys"

import { removeOaep } from "./oaep.ts"

export interface Pkcs11Options {
  /** The vendor's library, such as `/usr/lib/softhsm/libsofthsm2.so`. */
  readonly library: string
  /** As `C_GetTokenInfo` gives it. */
  readonly tokenLabel: string
  readonly pin: string
  /** `"raw"` for a token without OAEP by SHA-256, such as SoftHSM 2.6. Default: `"oaep"`. */
  readonly mechanism?: "oaep" | "raw"
  /**
   * The label of a secret key for `CKM_SHA256_HMAC`, of 32 bytes or more, which serves this ring and nothing else. Default: none, and the
   * ring has no MAC.
   */
  readonly macKeyLabel?: string
}

/** `CKZ_DATA_SPECIFIED`, with no label. */
const NO_LABEL = 1
const OAEP: pkcs11js.Mechanism = {
  mechanism: pkcs11js.CKM_RSA_PKCS_OAEP,
  parameter: {
    type: pkcs11js.CK_PARAMS_RSA_OAEP,
    hashAlg: pkcs11js.CKM_SHA256,
    mgf: pkcs11js.CKG_MGF1_SHA256,
    source: NO_LABEL,
  } as pkcs11js.RsaOAEP,
}
const RAW: pkcs11js.Mechanism = { mechanism: pkcs11js.CKM_RSA_X_509 }

/** What says something about the ciphertext; everything else says that the token was not reached. */
const NOT_OPENED: readonly number[] = [
  pkcs11js.CKR_ENCRYPTED_DATA_INVALID,
  pkcs11js.CKR_ENCRYPTED_DATA_LEN_RANGE,
  pkcs11js.CKR_DATA_INVALID,
  pkcs11js.CKR_DATA_LEN_RANGE,
]

const MOST_BYTES = 512
const MAC_BYTES = 32

/** Opens the token. `close` when the process ends. */
export function pkcs11KeyService(options: Pkcs11Options): KeyService & { close(): void } {
  const { library, tokenLabel, pin, mechanism = "oaep", macKeyLabel } = options
  const token = new pkcs11js.PKCS11()
  token.load(library)
  token.C_Initialize()
  const slot = token
    .C_GetSlotList(true)
    .find((each) => token.C_GetTokenInfo(each).label.trim() === tokenLabel)
  if (slot === undefined) throw new Error(`no token is called ${tokenLabel}`)
  const flags = pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION
  const session = token.C_OpenSession(slot, flags)
  token.C_Login(session, pkcs11js.CKU_USER, pin)

  function find(inSession: pkcs11js.Handle, ...template: pkcs11js.Template): pkcs11js.Handle[] {
    token.C_FindObjectsInit(inSession, template)
    const found = token.C_FindObjects(inSession, 2)
    token.C_FindObjectsFinal(inSession)
    return found
  }
  const isOf = (objectClass: number): pkcs11js.Attribute => ({ type: pkcs11js.CKA_CLASS, value: objectClass })
  const isCalled = (reference: string): pkcs11js.Attribute => ({
    type: pkcs11js.CKA_ID,
    value: Buffer.from(reference, "hex"),
  })

  /** Works in a session of its own, since a session does one thing at a time. */
  async function alone(work: (own: pkcs11js.Handle) => Promise<Uint8Array>): Promise<Uint8Array> {
    const own = token.C_OpenSession(slot as pkcs11js.Handle, flags)
    try {
      return await work(own)
    } finally {
      token.C_CloseSession(own)
    }
  }

  const macBy =
    (keyLabel: string) =>
    (data: Uint8Array): Promise<Uint8Array> =>
      alone(async (own) => {
        const label = { type: pkcs11js.CKA_LABEL, value: keyLabel }
        const [key, another] = find(own, isOf(pkcs11js.CKO_SECRET_KEY), label)
        // tokens take a label twice, and which one comes first then nobody promises
        if (!key || another) throw new Error(`the token must have exactly one secret key called ${keyLabel}`)
        token.C_SignInit(own, { mechanism: pkcs11js.CKM_SHA256_HMAC }, key)
        return token.C_SignAsync(own, Buffer.from(data), Buffer.alloc(MAC_BYTES))
      })

  return {
    async create(modulusBits) {
      const id = randomBytes(16)
      const named = [
        { type: pkcs11js.CKA_TOKEN, value: true },
        { type: pkcs11js.CKA_ID, value: id },
      ]
      const { publicKey } = await token.C_GenerateKeyPairAsync(
        session,
        { mechanism: pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN },
        [
          ...named,
          { type: pkcs11js.CKA_MODULUS_BITS, value: modulusBits },
          { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) },
          { type: pkcs11js.CKA_ENCRYPT, value: true },
        ],
        [
          ...named,
          { type: pkcs11js.CKA_DECRYPT, value: true },
          { type: pkcs11js.CKA_SENSITIVE, value: true },
          { type: pkcs11js.CKA_EXTRACTABLE, value: false },
        ],
      )
      const [modulus] = token.C_GetAttributeValue(session, publicKey, [{ type: pkcs11js.CKA_MODULUS }])
      const n = (modulus?.value as Buffer).toString("base64url")
      return { reference: id.toString("hex"), publicKey: await importPublicKey({ kty: "RSA", n, e: "AQAB" }) }
    },

    async unwrap(reference, encryptedKey) {
      const decrypt = async (own: pkcs11js.Handle): Promise<Uint8Array> => {
        const [key] = find(own, isOf(pkcs11js.CKO_PRIVATE_KEY), isCalled(reference))
        if (!key) throw new Error("the token does not have that key")
        const [modulus] = token.C_GetAttributeValue(own, key, [{ type: pkcs11js.CKA_MODULUS }])
        // RFC 8017 §5.1.2, step 1: tokens differ in what they call it, and SoftHSM calls it a fault of its own
        if (Buffer.compare(encryptedKey, modulus?.value as Buffer) >= 0) throw new Error("decryption error")
        token.C_DecryptInit(own, mechanism === "raw" ? RAW : OAEP, key)
        const opened = await token.C_DecryptAsync(own, Buffer.from(encryptedKey), Buffer.alloc(MOST_BYTES))
        return mechanism === "raw" ? removeOaep(opened) : opened
      }
      try {
        return await alone(decrypt)
      } catch (cause) {
        const isAnswer = !(cause instanceof pkcs11js.Pkcs11Error) || NOT_OPENED.includes(cause.code)
        if (isAnswer) throw cause
        throw new SealwireError("ERR_KEY_UNAVAILABLE", "the token could not be asked", { cause })
      }
    },

    async destroy(reference) {
      for (const objectClass of [pkcs11js.CKO_PRIVATE_KEY, pkcs11js.CKO_PUBLIC_KEY]) {
        const [found] = find(session, isOf(objectClass), isCalled(reference))
        if (found) token.C_DestroyObject(session, found)
      }
    },

    ...(macKeyLabel !== undefined && { mac: macBy(macKeyLabel) }),

    close() {
      token.C_Logout(session)
      token.C_CloseSession(session)
      token.C_Finalize()
    },
  }
}
