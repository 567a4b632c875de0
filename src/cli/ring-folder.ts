/**
 * A ring in a folder, as the commands `sealwire keys …` open it.
 *
 * @module
 */

import { type Command, InvalidArgumentError } from "commander"

import { type KeyProtection, type KeyRingManager, manageKeyRing, type StoredKey } from "../key-ring.ts"
import { folderKeyRingStore } from "../stores/folder.ts"
import { CommandError } from "./failure.ts"
import type { JsonOption } from "./help.ts"
import { readInput } from "./input.ts"
import {
  addPassphraseOption,
  givenPassphrase,
  newPassphrase,
  passphraseFor,
  type PassphraseOptions,
} from "./passphrase.ts"

/** Options of commands that need private keys. */
export interface ProtectionOptions extends PassphraseOptions, JsonOption {
  readonly wrappingKeyFile?: string
}

const WRAPPING_KEY_BYTES = 32

/** Declares {@link ProtectionOptions}. */
export function addProtectionOptions(command: Command): Command {
  return addPassphraseOption(command).option(
    "--wrapping-key-file <file>",
    "file of 32 bytes that the private keys are wrapped with, instead of a passphrase",
  )
}

async function wrappingKeyOf(path: string): Promise<KeyProtection> {
  const wrappingKey = await readInput(path, WRAPPING_KEY_BYTES)
  if (wrappingKey.length === WRAPPING_KEY_BYTES) return { wrappingKey }
  throw new CommandError("ERR_KEY", `${path}: a wrapping key is ${WRAPPING_KEY_BYTES} bytes`)
}

/** How the keys of a ring that is there are kept. */
export async function protectionOf(folder: string, options: ProtectionOptions): Promise<KeyProtection> {
  if (options.wrappingKeyFile !== undefined) return wrappingKeyOf(options.wrappingKeyFile)
  return { passphrase: await passphraseFor(folder, options) }
}

/** The same, as far as it was said without being asked. */
export async function givenProtection(options: ProtectionOptions): Promise<KeyProtection | undefined> {
  if (options.wrappingKeyFile !== undefined) return wrappingKeyOf(options.wrappingKeyFile)
  const passphrase = await givenPassphrase(options)
  return passphrase === undefined ? undefined : { passphrase }
}

/** How the keys of a new ring are to be kept. */
export async function newProtection(options: ProtectionOptions): Promise<KeyProtection> {
  if (options.wrappingKeyFile !== undefined) return wrappingKeyOf(options.wrappingKeyFile)
  return { passphrase: await newPassphrase(options) }
}

/** Opens the ring of a folder; without `protection`, as far as no private key is needed. */
export function ringOf(folder: string, protection?: KeyProtection): Promise<KeyRingManager> {
  const store = folderKeyRingStore(folder)
  return manageKeyRing(protection === undefined ? { store } : { store, protection })
}

/** Opens the ring of a folder to change what needs no private key, but may need the protection, so that servers believe it. */
export async function changeableRing(folder: string, options: ProtectionOptions): Promise<KeyRingManager> {
  const ring = await ringOf(folder)
  return ring.authenticity === "none" ? ring : ringOf(folder, await protectionOf(folder, options))
}

/** Takes a step; what the ring refuses is the command's refusal. */
export async function orRefused<Result>(step: Promise<Result>): Promise<Result> {
  try {
    return await step
  } catch (error) {
    if (error instanceof RangeError) throw new CommandError("ERR_RING", error.message)
    throw error
  }
}

/** The key whose name begins so. */
export function keyNamed(ring: KeyRingManager, start: string): StoredKey {
  const [found, ...others] = ring.list().filter(({ kid }) => kid.startsWith(start))
  if (!found) throw new CommandError("ERR_RING", `the ring has no key ${start}`)
  if (others.length > 0) throw new CommandError("ERR_RING", `several keys begin with ${start}`)
  return found
}

/** A number of seconds on the command line. */
export function parseSeconds(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError("It must be whole seconds.")
}

/** `2026-11-22 14:05:00Z` */
export function timeText(atMs: number): string {
  return new Date(atMs)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z")
}
