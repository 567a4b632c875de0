import { expect } from "vitest"

import type { Backend, Jwk } from "../../src/crypto/backend.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { open, type OpenOptions } from "../../src/envelope/open.ts"
import type { Opened } from "../../src/envelope/opened.ts"
import { materialOf, type PrivateKey } from "../../src/keys/key.ts"
import { importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import { createReplayGuard, type ReplayGuardOptions } from "../../src/replay/guard.ts"
import { CONTENT_KEY, MESSAGE, NOW_SECONDS, SEED } from "./forge.ts"
import { expectNoSecret } from "./secrets.ts"
import { type SpyStore, spyStore } from "./stores.ts"
import { knownAnswers, publicJwk } from "./vectors.ts"

/** A recipient whose private-key operations are counted. */
export interface Reader {
  readonly key: PrivateKey
  /** Private-key operations so far. */
  readonly unwraps: number
}

/** Imports a key, and joins it again behind a hook that counts. Where a backend unwraps nothing, Node's does. */
export async function createReader(backend: Backend, jwk: Jwk = knownAnswers.recipient): Promise<Reader> {
  const publicKey = await importPublicKey(publicJwk(jwk), { backend })
  const native = await importPrivateKey(jwk, { backend: backend === noble ? node : backend })
  const { handle } = materialOf(native, "private", "native")
  let unwraps = 0
  const key = await importPrivateKey({
    publicKey,
    unwrap: (encryptedKey) => {
      unwraps++
      return handle.unwrap(new Uint8Array(encryptedKey))
    },
  })
  return {
    key,
    get unwraps() {
      return unwraps
    },
  }
}

/** A guard at the time of the forgeries. */
export function guardOver(store: SpyStore, options: Partial<ReplayGuardOptions> = {}): OpenOptions["replay"] {
  return createReplayGuard({ store, clock: () => NOW_SECONDS * 1000, ...options })
}

/** Opens a forgery at its time, with a store of its own. */
export function openNow(
  reader: Reader,
  envelope: unknown,
  options: Partial<OpenOptions> = {},
): Promise<Opened> {
  return open(envelope as string, { with: reader.key, replay: guardOver(spyStore()), ...options })
}

/** What a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail("it did not reject"),
    (error: unknown) => error,
  )
}

/** All that one refusal could differ from another in. */
function fingerprint(error: unknown): unknown {
  expect(error).toBeInstanceOf(Error)
  const properties = Object.getOwnPropertyDescriptors(error as Error)
  const { stack, ...others } = properties
  // the library's own: how many of the caller's are shown depends on the version of Node, and on what woke it
  const frames = String(stack?.value)
    .split("\n")
    .filter((line) => line.includes("/src/"))
  return { prototype: Object.getPrototypeOf(error) as unknown, others, frames }
}

/** What no refusal may show. */
const SECRETS = [SEED, CONTENT_KEY, MESSAGE, Buffer.from(String(knownAnswers.recipient["d"]), "base64url")]

/**
 * Expects the one uniform refusal, at its stage: `"P0"` before any private-key operation, `"P1"` after exactly one. It is
 * compared in all properties with the refusal of a text that is no envelope at all.
 */
export async function expectRefusal(
  reader: Reader,
  stage: "P0" | "P1",
  envelope: unknown,
  options: Partial<OpenOptions> = {},
): Promise<void> {
  const store = spyStore()
  const replay = guardOver(store)
  const before = reader.unwraps
  const refusals: unknown[] = []
  for (const text of ["no envelope", envelope]) {
    refusals.push(await errorOf(openNow(reader, text, { replay, ...options })))
  }
  const [uniform, refusal] = refusals
  expect(refusal).toMatchObject({
    code: "ERR_OPEN_FAILED",
    message: "not an envelope that this reader can open",
  })
  expect(fingerprint(refusal)).toEqual(fingerprint(uniform))
  expect(refusal).not.toHaveProperty("cause")
  expect(reader.unwraps - before).toBe(stage === "P0" ? 0 : 1)
  expect(store.claims).toEqual([])
  for (const value of [refusal, reader.key, replay]) expectNoSecret(value, SECRETS)
}
