/**
 * `sealwire keys`: the life of the keys of a ring in a folder. docs/guides/keys.md.
 *
 * @module
 */

import type { Command } from "commander"

import { type KeyRingTerms, openKeyRing, restoreKeyRing, type StoredKey } from "../../key-ring.ts"
import { folderKeyRingStore } from "../../stores/folder.ts"
import { CommandError } from "../failure.ts"
import { finishCommand } from "../help.ts"
import { readInput } from "../input.ts"
import { readExtractableKey } from "../keys-file.ts"
import { addOutputOption, destinationOf, fill, PRIVATE_MODE, writeJson, writeStdout } from "../output.ts"
import { givenPassphrase, newPassphrase, passphraseFor } from "../passphrase.ts"
import {
  addProtectionOptions,
  changeableRing,
  givenProtection,
  keyNamed,
  newProtection,
  orRefused,
  parseSeconds,
  protectionOf,
  type ProtectionOptions,
  ringOf,
  timeText,
} from "../ring-folder.ts"

/** What a key's times say, in words. */
function lifeOf({ state, activeFromMs, retiredFromMs, destroyableFromMs }: StoredKey): string {
  if (state === "retired") {
    return `since ${timeText(retiredFromMs ?? 0)}, may be destroyed from ${timeText(destroyableFromMs ?? 0)} on`
  }
  if (activeFromMs === undefined) return "waits for a rotation"
  const until = retiredFromMs === undefined ? "" : `, until ${timeText(retiredFromMs)}`
  return `${state === "active" ? "since" : "published from"} ${timeText(activeFromMs)}${until}`
}

function useOf({ use, heldFor }: StoredKey): string {
  const held = heldFor === undefined ? "" : `; held for ${heldFor}`
  if (use.count === 0) return `never used${held}`
  return `${use.count} messages, the last at ${timeText(use.lastUsedAtMs)}${held}`
}

async function list(folder: string, options: ProtectionOptions): Promise<void> {
  const ring = await ringOf(folder, await givenProtection(options))
  const { authenticity, terms, seq } = ring
  if (options.json) {
    await writeJson({ authenticity, terms, seq, keys: ring.list() })
    return
  }
  const lines = ring
    .list()
    .map((key) => `${key.kid}  ${key.state.padEnd(7)}  ${lifeOf(key)}; ${useOf(key)}\n`)
  const note =
    authenticity === "verified" ? "" : "not verified: whoever writes the folder may have said this\n"
  await writeStdout(`${lines.join("")}${note}`)
}

interface CreateOptions extends ProtectionOptions {
  readonly rotateEvery?: number
  readonly maxAge?: number
}

async function create(folder: string, options: CreateOptions): Promise<void> {
  const { rotateEvery, maxAge, json } = options
  const terms: Partial<KeyRingTerms> = {
    ...(rotateEvery !== undefined && { rotateEverySeconds: rotateEvery }),
    ...(maxAge !== undefined && { maxAgeSeconds: maxAge }),
  }
  const protection = await newProtection(options)
  const store = folderKeyRingStore(folder)
  if (await store.load("ring"))
    throw new CommandError("ERR_EXISTS", `${folder} has a ring, and nothing is overwritten`)
  const ring = await orRefused(openKeyRing({ store, protection, create: true, terms }))
  await ring.close()
  const [key] = ring.list()
  if (json) await writeJson({ kid: key?.kid, folder })
  else await writeStdout(`${folder}  keep it secret, and make backups\nkid ${key?.kid ?? ""}\n`)
}

async function rotate(
  folder: string,
  options: ProtectionOptions & { readonly urgent?: true },
): Promise<void> {
  const ring = await ringOf(folder, await protectionOf(folder, options))
  const planned = await orRefused(ring.rotate({ urgent: options.urgent ?? false }))
  if (options.json) await writeJson(planned)
  else await writeStdout(`${planned.kid}  pending, published from ${timeText(planned.activeFromMs)}\n`)
}

async function retire(folder: string, start: string, options: ProtectionOptions): Promise<void> {
  const ring = await changeableRing(folder, options)
  const { kid } = keyNamed(ring, start)
  await orRefused(ring.retire(kid))
  const { retiredFromMs = 0 } = keyNamed(ring, kid)
  if (options.json) await writeJson({ kid, retiredFromMs })
  else await writeStdout(`${kid}  retired from ${timeText(retiredFromMs)}\n`)
}

interface DestroyOptions extends ProtectionOptions {
  readonly dangerouslyLoseMessages?: true
}

async function destroy(folder: string, start: string, options: DestroyOptions): Promise<void> {
  const ring = await changeableRing(folder, options)
  const { kid, use } = keyNamed(ring, start)
  const { dangerouslyLoseMessages = false, json } = options
  await orRefused(ring.destroy(kid, { dangerouslyLoseMessages }))
  if (json) await writeJson({ kid, use })
  else await writeStdout(`${kid}  destroyed\n`)
}

async function hold(
  folder: string,
  start: string,
  options: ProtectionOptions & { readonly for?: string },
): Promise<void> {
  const ring = await changeableRing(folder, options)
  const { kid } = keyNamed(ring, start)
  await ring.hold(kid, options.for)
  if (options.json) await writeJson({ kid, heldFor: options.for ?? null })
  else
    await writeStdout(`${kid}  ${options.for === undefined ? "no longer held" : `held for ${options.for}`}\n`)
}

interface ImportOptions extends ProtectionOptions {
  readonly retired?: true
}

async function importKey(folder: string, path: string, options: ImportOptions): Promise<void> {
  const ring = await ringOf(folder, await protectionOf(folder, options))
  const key = await readExtractableKey(path, options)
  await orRefused(ring.add(key, options.retired ? "retired" : "pending"))
  const meaning = options.retired ? "opens, is not published" : "the next rotation takes it"
  if (options.json) await writeJson({ kid: key.kid, retired: options.retired ?? false })
  else await writeStdout(`${key.kid}  ${meaning}\n`)
}

interface BackupOptions extends ProtectionOptions {
  readonly backupPassphraseFile?: string
  readonly output?: string
}

async function backup(folder: string, options: BackupOptions): Promise<void> {
  const ring = await ringOf(folder, await protectionOf(folder, options))
  const { backupPassphraseFile: passphraseFile } = options
  const given = passphraseFile === undefined ? await givenPassphrase(options) : undefined
  const passphrase = given ?? (await newPassphrase(passphraseFile === undefined ? {} : { passphraseFile }))
  const destination = await destinationOf(options.output, PRIVATE_MODE)
  await fill([destination], async () => ({ contents: [await ring.backup(passphrase)] }))
  if (options.json && options.output !== undefined) {
    await writeJson({ keys: ring.list().length, output: options.output })
  }
}

const MAX_BACKUP_BYTES = 4 * 1024 * 1024

async function restore(folder: string, path: string, options: BackupOptions): Promise<void> {
  const text = (await readInput(path, MAX_BACKUP_BYTES)).toString()
  const { backupPassphraseFile: passphraseFile, json } = options
  const passphrase = await passphraseFor(path, passphraseFile === undefined ? options : { passphraseFile })
  const protection = await newProtection(options)
  await restoreKeyRing({ store: folderKeyRingStore(folder), protection, backup: text, passphrase })
  if (json) await writeJson({ keys: (await ringOf(folder)).list().length, folder })
  else await list(folder, options)
}

const BACKUP_PASSPHRASE =
  "file whose first line is the passphrase of the backup; default: the same as the ring's"

/** Adds `keys` and what is below it to the program. */
export function addKeys(program: Command): void {
  const keys = program
    .command("keys")
    .summary("look after a key ring: list, rotate, retire, destroy, back up")
    .description("Looks after a key ring in a folder, which servers open with and rotate by themselves.")
  const add = (usage: string, summary: string): Command =>
    keys.command(usage).summary(summary).description(summary)
  const created = add("create <folder>", "make a ring with its first key")
    .option("--rotate-every <seconds>", "how long a key is the one to seal to; 0 for never", parseSeconds)
    .option("--max-age <seconds>", "how old a message may be when it is opened", parseSeconds)
  finishCommand(addProtectionOptions(created).action(create), [
    "sealwire keys create ring --rotate-every 7776000",
  ])
  const listed = add("list <folder>", "list keys, their times and their last use")
  finishCommand(addProtectionOptions(listed).action(list), ["sealwire keys list ring"])
  const rotated = add("rotate <folder>", "plan the next key")
  rotated.option("--urgent", "publish it as soon as all servers can know it")
  finishCommand(addProtectionOptions(rotated).action(rotate), ["sealwire keys rotate ring --urgent"])
  // one id in 64 begins with "-"
  const addForKey = (usage: string, summary: string): Command =>
    addProtectionOptions(add(usage, summary).allowUnknownOption())
  finishCommand(addForKey("retire <folder> <kid>", "no longer publish a key").action(retire), [
    "sealwire keys retire ring y7TN",
  ])
  const destroyed = addForKey("destroy <folder> <kid>", "forget a retired key, for good")
  destroyed.option("--dangerously-lose-messages", "also while messages to it may be fresh")
  finishCommand(destroyed.action(destroy), ["sealwire keys destroy ring y7TN"])
  const held = addForKey("hold <folder> <kid>", "keep a key from being destroyed")
  held.option("--for <purpose>", "what needs it, such as files; without it, it is no longer held")
  finishCommand(held.action(hold), ["sealwire keys hold ring y7TN --for files"])
  const imported = add("import <folder> <key>", "add a private key, PEM or JWK, as the next one")
  imported.option("--retired", "to open with only")
  finishCommand(addProtectionOptions(imported).action(importKey), [
    "sealwire keys import ring bob.private.pem",
  ])
  const backedUp = add("backup <folder>", "write all of a ring under a passphrase")
  addOutputOption(backedUp.option("--backup-passphrase-file <file>", BACKUP_PASSPHRASE), "backup")
  finishCommand(addProtectionOptions(backedUp).action(backup), ["sealwire keys backup ring -o ring.backup"])
  const restored = add("restore <folder> <backup>", "put a backup into a new folder")
  restored.option("--backup-passphrase-file <file>", BACKUP_PASSPHRASE)
  finishCommand(addProtectionOptions(restored).action(restore), ["sealwire keys restore ring-2 ring.backup"])
}
