// A reader that demands a signature, and what it says to other envelopes. Run: node examples/signed.mjs
import { createReplayGuard, generateKeyPair, memoryStore, open, seal } from "sealwire"
import { exportJwk, generateSigningKeyPair, importVerifyingKey } from "sealwire/keys"

const replay = createReplayGuard({ store: memoryStore() })
const { publicKey, privateKey } = await generateKeyPair()

// The sender keeps its signing key; the reader gets the public half, here as a JWK.
const { signingKey, verifyingKey } = await generateSigningKeyPair()
const sender = await importVerifyingKey(await exportJwk(verifyingKey))

/** @param {string} envelope */
const read = (envelope) => open(envelope, { with: privateKey, signedBy: sender, replay })

const opened = await read(await seal("pay 120 EUR", { to: publicKey, signWith: signingKey }))
console.log("from the sender:", opened.signer === sender.kid) // true

const unsigned = await read(await seal("pay 9,999 EUR", { to: publicKey })).catch((error) => error.code)
console.log("unsigned:", unsigned) // "ERR_OPEN_FAILED"

const { signingKey: other } = await generateSigningKeyPair({ algorithm: "ES256" })
const forged = await seal("pay 9,999 EUR", { to: publicKey, signWith: other })
const refused = await read(forged).catch((error) => error.code)
console.log("signed by another:", refused) // "ERR_OPEN_FAILED"
