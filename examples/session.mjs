// A session: one RSA operation to open it, none for its messages. Run: node examples/session.mjs
import { createReplayGuard, memoryStore } from "sealwire"
import { generateSigningKeyPair } from "sealwire/keys"
import { createKeyPool, createSessions, openSession } from "sealwire/session"

const origin = "https://api.example.com"

// The server: an identity that clients pin, and RSA pairs that are made before anyone asks.
const { signingKey: identity } = await generateSigningKeyPair()
const keyPool = createKeyPool({ size: 2, modulusBits: 2048 })
const sessions = createSessions({ identity, keyPool, lifetimeSeconds: 600, idleSeconds: 60 })
const replay = createReplayGuard({ store: memoryStore() })
await sessions.ready()

// The way between them: anything that carries text. Over HTTP, createClient({ session: true }) and createEndpoint({ sessions }) do this.
const transport = {
  /** @param {string} hello */
  offer: (hello) => sessions.offer(hello, { origin }),
  /** @param {string} id @param {string} opening */
  open: (id, opening) => sessions.open(id, opening, { origin, replay }),
}

// The client believes an offer by whom it has pinned, and by nobody else.
const session = await openSession({ pins: [identity.kid], origin, transport })
console.log("open:", (await sessions.list()).length) // 1

const { envelope, openReply } = await session.sealRequest("balance?", { context: "accounts" })
const opened = await sessions.openMessage(envelope, { origin, replay, context: "accounts" })
console.log("asked:", opened.text(), "in this session:", opened.session === session.id)
console.log("answered:", (await openReply(await opened.reply("120 EUR"))).text())

const copy = await sessions
  .openMessage(envelope, { origin, replay, context: "accounts" })
  .catch((error) => error.code)
console.log("a copy:", copy) // "ERR_REPLAYED"

const { signingKey: stranger } = await generateSigningKeyPair()
const refused = await openSession({ pins: [stranger.kid], origin, transport }).catch((error) => error.code)
console.log("an offer by another:", refused) // "ERR_KEYS_UNTRUSTED"

await sessions.end(session.id)
const late = await sessions
  .openMessage(await session.seal("again?"), { origin, replay })
  .catch((error) => error.code)
console.log("after its end:", late) // "ERR_NO_SESSION"

sessions.close()
