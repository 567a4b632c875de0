/**
 * A client that sends in sessions, its server, and the way between them.
 *
 * @module
 */

import type { ClientOptions } from "../../src/client/options.ts"
import { createSessions, type Sessions, type SessionsOptions } from "../../src/session.ts"
import { createWorld, type Sent, serverIdentity, type World, type WorldOptions } from "./client-world.ts"
import { endlessPool } from "./session-world.ts"

export const SESSIONS = "/.well-known/sealwire/sessions"
export const pathOf = ({ url }: Sent): string => new URL(url).pathname

export interface SessionWorld extends World {
  readonly sessions: Sessions
  /** How often the client asked for a session. */
  readonly hellos: () => number
}

export async function createSessionWorld(
  options: Partial<SessionsOptions> = {},
  client: Partial<ClientOptions> = {},
  more: Partial<WorldOptions> = {},
): Promise<SessionWorld> {
  const identity = await serverIdentity()
  const sessions = createSessions({ identity, keyPool: await endlessPool(), ...options })
  const world = await createWorld({
    ...more,
    client: { pins: [identity.kid], session: true, ...client },
    endpoint: { sessions, ...more.endpoint },
  })
  const hellos = (): number => world.sent.filter((sent) => pathOf(sent) === SESSIONS).length
  return Object.assign(world, { sessions, hellos })
}

/** The requests of the application that were sent. */
export const requests = ({ sent }: World): Sent[] => sent.filter((each) => !pathOf(each).startsWith(SESSIONS))
