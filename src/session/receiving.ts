/**
 * Receiving messages where sessions are: which of the two kinds an envelope is shows before anything is opened, and both are
 * refused in the same way. docs/protocol.md §3.4 and §6.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { looksLike } from "../envelope/layout.ts"
import type { SelectedKey } from "../envelope/read.ts"
import type { Receiving } from "../envelope/receive.ts"
import { type SessionManager, ungated } from "./manager.ts"

/** What messages in sessions are bound to. */
export interface SessionScope {
  readonly manager: SessionManager
  readonly origin: string
  /** The application's context. */
  readonly context: Bytes
  /** Bounds private-key operations. */
  readonly gate?: (key: SelectedKey) => SelectedKey
}

/** How to receive an envelope that may belong to a session; `receiving` is for all others. */
export function receivingIn(scope: SessionScope, envelope: string, receiving: Receiving): Receiving {
  const { manager, origin, context, gate = ungated } = scope
  if (looksLike(envelope, "sw1-session")) {
    return { ...receiving, type: "sw1-session", select: (kid) => manager.messageKey(kid, origin) }
  }
  return {
    ...receiving,
    async select(kid) {
      const found = await receiving.select(kid)
      if (found) return found
      const key = await manager.wrappedMessageKey(kid, origin, context)
      return key && gate(key)
    },
  }
}
