/**
 * What a ring tells its operator. Nothing in an event is secret.
 *
 * @module
 */

/** One thing that happened to a ring. */
export type KeyRingEvent =
  /** This server planned the next key; it is published from then on, and those before it no longer are. */
  | { readonly type: "planned"; readonly kid: string; readonly activeFromMs: number }
  /** This server destroyed a key. */
  | { readonly type: "destroyed"; readonly kid: string; readonly lastUsedAtMs: number }
  /** This server took over what another one had saved. */
  | { readonly type: "followed"; readonly version: number }
  /** Reading, saving or loading failed. What was planned before goes on; a server that fails for `pendingSeconds` misses a new key. */
  | { readonly type: "failed"; readonly error: unknown }

/** Takes events. What it gives or throws is ignored. */
export type OnKeyRingEvent = (event: KeyRingEvent) => unknown

/** Reports without letting the listener decide about keys, now or later. */
export async function report(onEvent: OnKeyRingEvent | undefined, event: KeyRingEvent): Promise<void> {
  try {
    await onEvent?.(event)
  } catch {
    // a metrics system that fails is no reason to stop rotating
  }
}
