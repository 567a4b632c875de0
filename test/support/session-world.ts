/**
 * A server's sessions and their clients, with a clock that a test sets, and RSA pairs that are made once.
 *
 * @module
 */

import { backend } from "#backend"

import { createReplayGuard, generateKeyPair, memoryStore, type ReplayGuard } from "../../src/index.ts"
import { generateSigningKeyPair, type KeyPair, type SigningKey } from "../../src/keys.ts"
import {
  createSessions,
  type KeyPool,
  openSession,
  type OpenSessionOptions,
  type Session,
  type Sessions,
  type SessionsOptions,
  type SessionTransport,
} from "../../src/session.ts"
import { createTestClock, type TestClock } from "../../src/testing.ts"

export const ORIGIN = "https://api.example.com"

let pairs: Promise<KeyPair[]> | undefined
const generate = (): Promise<KeyPair> => generateKeyPair({ modulusBits: 2048, extractable: true })

/** A pool that is never empty: a few pairs in turn. */
export async function endlessPool(): Promise<KeyPool & { readonly taken: () => number }> {
  pairs ??= Promise.all([generate(), generate(), generate()])
  const made = await pairs
  let taken = 0
  return {
    depth: made.length,
    size: made.length,
    extractable: true,
    backend,
    take: () => made[taken++ % made.length] as KeyPair,
    putBack: () => {
      taken--
    },
    ready: () => Promise.resolve(),
    close: () => undefined,
    taken: () => taken,
  }
}

let identityPair: ReturnType<typeof generateSigningKeyPair> | undefined
export async function serverIdentity(): Promise<SigningKey> {
  identityPair ??= generateSigningKeyPair()
  return (await identityPair).signingKey
}

/** A server and its clock. */
export interface World {
  readonly now: TestClock
  readonly sessions: Sessions
  readonly replay: ReplayGuard
  readonly pins: readonly string[]
  /** What a reader here demands. */
  readonly terms: { readonly origin: string; readonly replay: ReplayGuard }
  readonly transport: SessionTransport
  open(options?: Partial<OpenSessionOptions>): Promise<Session>
  /** Opens a message, as text. */
  read(envelope: string): Promise<string>
}

export async function createWorld(options: Partial<SessionsOptions> = {}): Promise<World> {
  const now = createTestClock()
  const identity = await serverIdentity()
  const keyPool = options.keyPool ?? (await endlessPool())
  const sessions = createSessions({ identity, clock: now, ...options, keyPool })
  const store = memoryStore({ dangerouslyForgetOnRestart: true, clock: now })
  const replay = createReplayGuard({ store, clock: now })
  const pins = [identity.kid]
  const terms = { origin: ORIGIN, replay }
  const transport: SessionTransport = {
    offer: (hello) => sessions.offer(hello, { origin: ORIGIN }),
    open: (id, opening) => sessions.open(id, opening, terms),
  }
  return {
    now,
    sessions,
    replay,
    pins,
    terms,
    transport,
    open: (given = {}) => openSession({ pins, origin: ORIGIN, transport, clock: now, ...given }),
    read: async (envelope) => (await sessions.openMessage(envelope, terms)).text(),
  }
}
