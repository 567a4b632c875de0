/**
 * Private keys as `node:crypto` makes and imports them. Must be in place before any other module takes these functions.
 *
 * @module
 */

import nodeCrypto, { type KeyObject } from "node:crypto"
import { syncBuiltinESMExports } from "node:module"
import { promisify } from "node:util"

type TellSecret = (name: string, bytes: Uint8Array) => void
type Generate = (type: string, options: object, done: (error: unknown, ...pair: KeyObject[]) => void) => void

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi"]

/** Tells the private members of a JWK. */
export function tellJwk(tell: TellSecret, name: string, jwk: Readonly<Record<string, unknown>>): void {
  for (const member of PRIVATE_MEMBERS) {
    const value = jwk[member]
    if (typeof value === "string") tell(`${name} (${member})`, Buffer.from(value, "base64url"))
  }
}

/** Tells each private key that is made or imported from here on. */
export function watchPrivateKeys(tell: TellSecret): void {
  function tellKey(key: KeyObject): KeyObject {
    if (key.type === "private") tellJwk(tell, "a private key", key.export({ format: "jwk" }))
    return key
  }

  const { createPrivateKey, generateKeyPair } = nodeCrypto
  const generate = generateKeyPair as unknown as Generate
  const watched: Generate = (type, options, done) => {
    generate(type, options, (error, ...pair) => {
      for (const key of pair) if (typeof key === "object") tellKey(key)
      done(error, ...pair)
    })
  }
  const generateBoth = promisify(generateKeyPair) as (
    type: string,
    options: object,
  ) => Promise<{ privateKey: KeyObject }>
  Object.defineProperty(watched, promisify.custom, {
    value: async (type: string, options: object) => {
      const pair = await generateBoth(type, options)
      tellKey(pair.privateKey)
      return pair
    },
  })
  Object.assign(nodeCrypto, {
    generateKeyPair: watched,
    createPrivateKey: (...args: Parameters<typeof createPrivateKey>) => tellKey(createPrivateKey(...args)),
  })
  syncBuiltinESMExports()
}
