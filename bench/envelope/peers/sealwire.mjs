/** This library. */

const CONTEXT = "bench"

/** A store that finds every message new: the envelope's own cost, without that of remembering. */
const everythingIsNew = { claim: () => Promise.resolve(true) }

export const sealwire =
  (library, store = everythingIsNew) =>
  async ({ privateJwk }) => {
    const key = await library.importPrivateKey(privateJwk)
    const options = { with: key, context: CONTEXT, replay: library.createReplayGuard({ store }) }
    return {
      name: "sealwire",
      seal: (message) => library.seal(message, { to: key.publicKey, context: CONTEXT }),
      open: async (envelope) => (await library.open(envelope, options)).message,
    }
  }

/** With a store that remembers, an envelope opens once, so opening takes a new one each time. */
export const sealwireRemembering = (library) => async (keys) => {
  const store = library.memoryStore({ dangerouslyForgetOnRestart: true })
  const peer = await sealwire(library, store)(keys)
  return { ...peer, name: "sealwire, with memoryStore", exchange: peer.seal }
}

/** A request has one reply, so opening takes a new request each time: `exchange` makes one, answered. */
export const sealwireReplies =
  (library) =>
  async ({ privateJwk }) => {
    const key = await library.importPrivateKey(privateJwk)
    const replay = library.createReplayGuard({ store: everythingIsNew })
    const ask = () => library.sealRequest("?", { to: key.publicKey, context: CONTEXT })
    const receive = ({ envelope }) => library.open(envelope, { with: key, context: CONTEXT, replay })
    const opened = await receive(await ask())
    return {
      name: "sealwire",
      seal: (message) => opened.reply(message),
      open: async ({ openReply, reply }) => (await openReply(reply)).message,
      async exchange(message) {
        const request = await ask()
        return { openReply: request.openReply, reply: await (await receive(request)).reply(message) }
      },
    }
  }
