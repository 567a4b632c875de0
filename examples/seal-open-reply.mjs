// A client asks, a server answers, and a copy of the question is refused. Run: node examples/seal-open-reply.mjs
import { createReplayGuard, generateKeyPair, memoryStore, open, sealRequest } from "sealwire"

// The server. Its store comes before its key: what was sent to older keys before a store started is refused.
const replay = createReplayGuard({ store: memoryStore() })
const { publicKey, privateKey } = await generateKeyPair()

/** @param {string} envelope */
async function answer(envelope) {
  const question = await open(envelope, { with: privateKey, context: "balance v1", replay })
  const { account } = /** @type {{ account: string }} */ (question.json())
  return question.reply(JSON.stringify({ account, balance: "120.00 EUR" }))
}

// The client, which has the server's public key.
const question = JSON.stringify({ account: "checking" })
const { envelope, openReply } = await sealRequest(question, { to: publicKey, context: "balance v1" })

const reply = await openReply(await answer(envelope))
console.log("reply:", reply.json()) // {"account":"checking","balance":"120.00 EUR"}

const copy = await answer(envelope).catch((error) => error.code)
console.log("copy of the question:", copy) // "ERR_REPLAYED"
