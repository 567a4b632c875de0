import { inspect } from "node:util"

import { expect } from "vitest"

/** The ways in which bytes end up in a log. */
function spellings(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret)
  const numbers = [...bytes]
  return [
    bytes.toString("latin1"),
    bytes.toString("hex"),
    bytes.toString("base64").replaceAll("=", ""),
    bytes.toString("base64url"),
    numbers.slice(0, 16).join(","),
    numbers
      .slice(0, 16)
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join(" "),
  ]
}

/** All that a logger can get out of a value. */
function shown(value: unknown): string {
  const inspected = inspect(value, {
    showHidden: true,
    depth: Infinity,
    maxArrayLength: null,
    maxStringLength: null,
    breakLength: Infinity,
  })
  const stack = value instanceof Error ? (value.stack ?? "") : ""
  return withoutSpaces([inspected, stack, String(value), JSON.stringify(value)].join("\n"))
}

/** Numbers are shown in columns. */
const withoutSpaces = (text: string): string => text.replaceAll(/\s/g, "")

/** Looks for secrets in what a logger shows of a value. */
export function expectNoSecret(value: unknown, secrets: readonly (string | Uint8Array)[]): void {
  const text = shown(value)
  for (const secret of secrets) {
    for (const spelling of spellings(Buffer.from(secret as string)))
      expect(text).not.toContain(withoutSpaces(spelling))
  }
}
