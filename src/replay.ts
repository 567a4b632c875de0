/**
 * `sealwire/replay`: the guard that lets a message count once, and the interface of its stores.
 *
 * @module
 */

export type { Clock } from "./base/clock.ts"
export {
  type Admission,
  createReplayGuard,
  dangerouslyAcceptReplays,
  type ReplayEvent,
  type ReplayGuard,
  type ReplayGuardOptions,
} from "./replay/guard.ts"
export { memoryStore, type MemoryStoreOptions } from "./replay/memory-store.ts"
export type { ReplayStore } from "./replay/store.ts"
