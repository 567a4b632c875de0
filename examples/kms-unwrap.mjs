// A private key that stays in a key service. Run: node examples/kms-unwrap.mjs
import { constants, generateKeyPairSync, privateDecrypt } from "node:crypto"
import { createReplayGuard, importPrivateKey, importPublicKey } from "sealwire"
import { memoryStore, open, seal, SealwireError } from "sealwire"

// Stands in for the service. The call to a real one is RSAES_OAEP_SHA_256 at AWS, RSA-OAEP-256 at Azure.
const { publicKey: spki, privateKey: secret } = generateKeyPairSync("rsa", { modulusLength: 3072 })
let isReachable = true

const publicKey = await importPublicKey(spki.export({ format: "pem", type: "spki" }).toString())
const privateKey = await importPrivateKey({
  publicKey,
  unwrap(encryptedKey) {
    // says nothing about the envelope, which may be tried again; any other error means that it does not open
    if (!isReachable) throw new SealwireError("ERR_KEY_UNAVAILABLE", "the key service is away")
    return privateDecrypt(
      { key: secret, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
      encryptedKey,
    )
  },
})

// The key is older than the store, so a store in memory would make the example wait: see docs/guides/operator.md.
const store = memoryStore({ dangerouslyForgetOnRestart: true })
const replay = createReplayGuard({ store })
const envelope = await seal("hello", { to: publicKey })

isReachable = false
const away = await open(envelope, { with: privateKey, replay }).catch((error) => error.code)
console.log("service away:", away) // "ERR_KEY_UNAVAILABLE"

isReachable = true
console.log("service back:", (await open(envelope, { with: privateKey, replay })).text()) // "hello"
