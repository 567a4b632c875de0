/**
 * The two parts of what AES-GCM has sealed, where they came as one.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { AesGcmSealed } from "./backend.ts"
import { TAG_BYTES } from "./sizes.ts"

/** Parts `ciphertext ‖ tag`; of too little, the tag is too short, which no backend takes. */
export function partSealed(sealed: Bytes): AesGcmSealed {
  return { ciphertext: sealed.subarray(0, -TAG_BYTES), tag: sealed.subarray(-TAG_BYTES) }
}
