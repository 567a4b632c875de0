/**
 * `sealwire/key-ring`: a key ring that lives: stored under protection, shared by a fleet, rotated by schedule, backed up.
 * docs/protocol.md §7, last paragraph; docs/guides/keys.md.
 *
 * @module
 */

export type { Bytes } from "./base/bytes.ts"
export type { Clock } from "./base/clock.ts"
export type { MaybePromise, ModulusBits } from "./crypto/backend.ts"
export type { KeyRingEvent, OnKeyRingEvent } from "./key-ring/events.ts"
export type { KeyRingManager, PlannedKey, StoredKey, StoredKeyRing } from "./key-ring/manager.ts"
export {
  manageKeyRing,
  type ManageKeyRingOptions,
  openKeyRing,
  type OpenKeyRingOptions,
  restoreKeyRing,
  type RestoreKeyRingOptions,
} from "./key-ring/open.ts"
export type { KeyProtection } from "./key-ring/protection.ts"
export type { RingAuthenticity } from "./key-ring/scribe.ts"
export type { KeyService } from "./key-ring/service.ts"
export { type KeyRingStore, type KeyRingText, memoryKeyRingStore, type StoredText } from "./key-ring/store.ts"
export type { KeyRingTerms } from "./key-ring/terms.ts"
export type { KeyUse } from "./key-ring/uses.ts"
export type { PrivateKey, PublicKey } from "./keys/key.ts"
export type { KeyState, ReadableKeyRing } from "./keys/ring.ts"
