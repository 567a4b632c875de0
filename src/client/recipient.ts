/**
 * What requests are sealed to: a key of the server's, or a session with it. docs/protocol.md §6 and §7.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import { type Context, contextOf } from "../envelope/context.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import { sealerFor } from "../envelope/sealer.ts"
import { httpContext } from "../http/wire.ts"
import type { PublicKey } from "../keys/key.ts"
import type { KeySource } from "./keys.ts"
import type { Settings } from "./options.ts"
import type { RetryReason } from "./retry.ts"

/** What one attempt is sealed to. */
export interface Target {
  /** @param context - Default: that of whole messages. */
  seal(message: Bytes, issuedAtSeconds: number, context?: Context): Promise<EnvelopeEnd>
  /** After an unsealed refusal: why the next attempt may fare better, for what is sealed to then. */
  refused(outerStatus: number): Promise<RetryReason | undefined>
  /** After a sealed answer. */
  answered(): void
}

/** Finds what to seal to. */
export interface Recipient {
  /** Nothing of a request is sent before. */
  current(): Promise<Target>
}

/** The first of the server's keys. */
export function keyRecipient(keys: KeySource, { origin, signWith }: Settings): Recipient {
  const whole = contextOf(encodeAscii(httpContext(origin)))
  return {
    async current() {
      const to = (await keys.keys())[0] as PublicKey
      return {
        seal: (message, issuedAtSeconds, context = whole) =>
          sealerFor("sw1", { to, context, signWith })(message, { issuedAtSeconds }),
        async refused(outerStatus) {
          // the server has no other way to say that the key is gone (§7); whoever forges this causes one fetch
          if (outerStatus !== 400) return undefined
          return (await keys.refresh(to.kid)) ? "new-key" : undefined
        },
        answered: () => undefined,
      }
    },
  }
}
