/** Documents with sealed fields (docs/protocol.md §11), written a second time over forge.ts, with both halves open to be wrong. */

import { forge, type Parts } from "./forge.ts"

function lp(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(bytes.length))
  return Buffer.concat([length, bytes])
}

/**
 * Seals any M to any clear rest.
 *
 * @param rest - The clear rest, in RFC 8785 form.
 * @param sealed - M.
 */
export function forgeFields(
  rest: string,
  sealed: string | Uint8Array,
  outer = "",
  wrong: Partial<Parts> = {},
): object {
  const context = Buffer.concat([lp(outer), lp(rest)])
  return { ...(JSON.parse(rest) as object), $sealed: forge({ context, message: sealed, ...wrong }) }
}
