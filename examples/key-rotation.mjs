// A recipient key is replaced while messages are under way. Run: node examples/key-rotation.mjs
import { createReplayGuard, generateKeyPair, memoryStore, open, seal } from "sealwire"
import { createKeyRing } from "sealwire/keys"

const replay = createReplayGuard({ store: memoryStore() })
const old = await generateKeyPair()
const ring = createKeyRing([old.privateKey])

/** Senders seal to the first published key. */
const send = (/** @type {string} */ text) => {
  const [to = old.publicKey] = ring.published()
  return seal(text, { to })
}
const read = async (/** @type {string} */ envelope) => (await open(envelope, { with: ring, replay })).text()

const underWay = await send("sealed before")
const late = await send("sealed before, and far too late")

// 1. Every reader has the new key before any sender can seal to it.
const next = await generateKeyPair()
ring.add(next.privateKey)

// 2. It is published, and the old one no longer is. The old one still opens.
ring.activate(next.privateKey.kid)
ring.retire(old.privateKey.kid)
console.log("published:", ring.published()[0]?.kid === next.publicKey.kid) // true
console.log(await read(underWay)) // "sealed before"
console.log(await read(await send("sealed after"))) // "sealed after"

// 3. Once no message to it can be fresh, it goes for good.
ring.destroy(old.privateKey.kid)
const gone = await read(late).catch((error) => error.code)
console.log("to a destroyed key:", gone) // "ERR_OPEN_FAILED"
