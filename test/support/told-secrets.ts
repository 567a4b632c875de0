/**
 * What a process of a test tells the watch of the process that started it: its secrets, by a file that both know. Written at once, so
 * that a process that is killed has told all.
 *
 * @module
 */

import { appendFileSync, existsSync, readFileSync } from "node:fs"

import type { Tell } from "./watched-backend.ts"

/** Names the file, in the environment of processes that are watched. */
export const SECRETS_FILE = "SEALWIRE_TEST_SECRETS"

const MOST_TEXT_BYTES = 96

/** Tells the process that watches this one, if there is one. */
export function tellOutside(): Tell {
  const path = process.env[SECRETS_FILE]
  const told = new Set<string>()
  const tell = (kind: keyof Tell, name: string, bytes: Uint8Array): void => {
    const line = `${JSON.stringify([kind, name, Buffer.from(bytes).toString("base64")])}\n`
    if (path === undefined || told.has(line)) return
    told.add(line)
    appendFileSync(path, line)
  }
  return {
    secret: (name, bytes) => {
      tell("secret", name, bytes)
    },
    text: (name, bytes) => {
      tell("text", name, bytes.subarray(0, MOST_TEXT_BYTES))
    },
  }
}

/** Reads what was told since the last time. */
export function toldReader(path: string): (tell: Tell) => void {
  let read = 0
  return (tell) => {
    if (!existsSync(path)) return
    const bytes = readFileSync(path)
    const end = bytes.lastIndexOf("\n") + 1
    for (const line of bytes.toString("latin1", read, end).split("\n").slice(0, -1)) {
      const [kind, name, text] = JSON.parse(line) as [keyof Tell, string, string]
      tell[kind](name, Buffer.from(text, "base64"))
    }
    read = end
  }
}
