/**
 * Assertions for the contract suites, which must run under any test runner or none.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"

/** One behaviour. `run` rejects when it does not hold. */
export interface ContractCase {
  /** A sentence: what must hold. */
  readonly name: string
  readonly run: () => Promise<void>
}

/** Bytes as lower-case hexadecimal. */
export function toHex(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/** Hexadecimal, with spaces where they help a reader, as bytes. */
export function fromHex(hex: string): Bytes {
  const pairs = hex.replaceAll(" ", "").match(/../g) ?? []
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16))
}

/** Rejects unless `condition` holds. */
export function assert(condition: boolean, expectation: string): void {
  if (!condition) throw new Error(`expected ${expectation}`)
}

/** Rejects unless two arrays hold the same bytes. */
export function assertEqual(actual: Bytes, expected: Bytes, what: string): void {
  const same = actual.length === expected.length && actual.every((byte, i) => byte === expected[i])
  // a difference in a large message is not worth two megabytes of hexadecimal
  const shown = (bytes: Bytes): string => (bytes.length <= 256 ? toHex(bytes) : `${bytes.length} bytes`)
  if (!same) throw new Error(`expected ${what} to be ${shown(expected)}, not ${shown(actual)}`)
}

/** Runs what must throw or reject, and gives the error. */
export async function refusal(attempt: () => unknown, what: string): Promise<unknown> {
  try {
    await attempt()
  } catch (error) {
    return error
  }
  throw new Error(`expected ${what} to be refused`)
}

/** Rejects unless `attempt` throws, or rejects with, a `RangeError`. */
export async function assertRangeError(attempt: () => unknown, what: string): Promise<void> {
  const error = await refusal(attempt, what)
  assert(error instanceof RangeError, `${what} to be refused with a RangeError, not ${String(error)}`)
}

/** Rejects unless `attempt` throws, or rejects with, an error of this code. */
export async function assertCode(attempt: () => unknown, code: string, what: string): Promise<void> {
  const error = await refusal(attempt, what)
  const found = (error as { code?: unknown } | undefined)?.code
  assert(found === code, `${what} to be refused with ${code}, not ${String(error)}`)
}
