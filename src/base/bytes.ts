/**
 * Byte arrays: joining, length prefixes, comparison. docs/protocol.md §1.
 *
 * @module
 */

/** Bytes that no other thread can change: not over a `SharedArrayBuffer`. */
export type Bytes = Uint8Array<ArrayBuffer>

/** Whether a value from outside is a `Uint8Array`: by its tag, since it may come from another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === "[object Uint8Array]"
}

/** No bytes: nobody can change what is not there, so that one is enough. */
export const NOTHING: Bytes = /* @__PURE__ */ new Uint8Array(0)

/** `a ‖ b ‖ …` of any number of parts: a function can have some hundred thousand arguments at most. */
export function join(parts: readonly Uint8Array[]): Bytes {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** `a ‖ b ‖ …` */
export function concat(...parts: readonly Bytes[]): Bytes {
  return join(parts)
}

/** `head ‖ lp(field) ‖ … ‖ tail`, in one allocation, or in none where it fits into `room`; `lp(x)` is `u64(length of x) ‖ x`. */
export function concatPrefixed(
  head: Bytes,
  fields: readonly Bytes[],
  tail: Bytes = NOTHING,
  room: Bytes = NOTHING,
): Bytes {
  let length = head.length + tail.length
  for (const field of fields) length += 8 + field.length
  const joined = length > room.length ? new Uint8Array(length) : room.subarray(0, length)
  joined.set(head)
  const view = new DataView(joined.buffer)
  let offset = head.length
  for (const field of fields) {
    // u64, of which the upper half is zero
    view.setUint32(offset, 0)
    view.setUint32(offset + 4, field.length)
    joined.set(field, offset + 8)
    offset += 8 + field.length
  }
  joined.set(tail, offset)
  return joined
}

/** Compares without stopping at the first difference. Lengths are public. */
export function equalConstantTime(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}
