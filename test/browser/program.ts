/**
 * What tests have pages do: bundled as it is, and put into a page under the name `program`.
 *
 * @module
 */

import { type Client, type ClientOptions, createClient } from "sealwire/client"
import { importPublicKey, type Jwk } from "sealwire/keys"
import { noble } from "sealwire/noble"

/** Whom the page trusts, and by which cryptography. */
export interface Trust {
  readonly pin?: string
  /** A recipient's public key, as a JWK. */
  readonly key?: Jwk
  readonly backend?: "noble"
}

/** What became of a request, in what can leave a page. */
export type Outcome =
  { readonly status: number; readonly text: string } | { readonly code: string; readonly message: string }

async function clientOf({ pin, key, backend }: Trust): Promise<Client> {
  const chosen = backend === "noble" ? { backend: noble } : {}
  const trust: Pick<ClientOptions, "pins" | "keys"> = key
    ? { keys: await importPublicKey(key, chosen) }
    : { pins: [pin ?? ""] }
  return createClient({ baseUrl: location.origin, retry: { attempts: 1 }, ...trust, ...chosen })
}

async function outcomeOf(run: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await run()
  } catch (error) {
    const { code = "none", message } = error as Error & { code?: string }
    return { code, message }
  }
}

/** Posts a text, sealed, and gives the opened answer. */
export function post(trust: Trust, text: string): Promise<Outcome> {
  return outcomeOf(async () => {
    const client = await clientOf(trust)
    const response = await client.fetch("/echo", { method: "POST", body: text })
    return { status: response.status, text: await response.text() }
  })
}

/** Asks for the key directory as a page does that was just loaded, and gives the name of the first key. */
export function directory(trust: Trust): Promise<Outcome> {
  return outcomeOf(async () => {
    const client = await clientOf(trust)
    const [key] = await client.keys()
    return { status: 200, text: key?.kid ?? "" }
  })
}

let member: Client | undefined

/** Asks the server for the name of the session that this page's client is in, which all pages of the origin share. */
export async function who(pin: string): Promise<string> {
  member ??= createClient({ baseUrl: location.origin, pins: [pin], session: "shared" })
  return (await member.fetch("/who")).text()
}

/** Ends the session, for all pages. */
export async function leave(): Promise<void> {
  await member?.logout()
}

/** What the page's IndexedDB has of the session's secret. */
export async function keptSecret(): Promise<unknown> {
  const opening = indexedDB.open("sealwire-sessions")
  await new Promise((resolve) => (opening.onsuccess = resolve))
  const asking = opening.result.transaction("sessions").objectStore("sessions").getAll()
  await new Promise((resolve) => (asking.onsuccess = resolve))
  const [{ secret }] = asking.result as [{ secret: CryptoKey }]
  const { type, algorithm, usages, extractable } = secret
  const exported = await crypto.subtle.exportKey("raw", secret).then(
    () => "its bytes",
    (error: unknown) => (error as Error).name,
  )
  return { type, algorithm: algorithm.name, usages, extractable, exported }
}

/** What this page lacks, or has. */
export function surroundings(): { isSecureContext: boolean; subtle: string } {
  return { isSecureContext, subtle: typeof (crypto as Partial<Crypto>).subtle }
}

declare global {
  /** The functions above, in a page. */
  var program: {
    post: typeof post
    directory: typeof directory
    who: typeof who
    leave: typeof leave
    keptSecret: typeof keptSecret
    surroundings: typeof surroundings
  }
}
