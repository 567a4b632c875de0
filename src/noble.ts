/**
 * `sealwire/noble`: cryptography in plain TypeScript, for pages without `crypto.subtle`. Passed explicitly as `backend`.
 *
 * > [!WARNING]
 * > A page that came over `http:` can be changed on the way, this library in it included. This resists passive listeners only.
 *
 * @module
 */

export type { Bytes } from "./base/bytes.ts"
export type { Backend } from "./crypto/backend.ts"
export { noble } from "./crypto/noble.ts"
