/**
 * The files of a folder in which each version of a text is a file of its own: listed, published, pruned.
 *
 * @module
 */

import { link, open, readdir, stat, unlink } from "node:fs/promises"
import { join } from "node:path"

import { SealwireError } from "../base/errors.ts"
import type { KeyRingText } from "../key-ring/store.ts"

/** Versions that stay behind the latest, for a reader that has seen the folder before them. */
const KEPT_VERSIONS = 8
/** What is younger is left alone: somebody may be at it. */
const GRACE_MS = 60_000
const NAME = /^(?<text>ring|uses)\.(?<version>[1-9]\d{0,14})$|^\.new\.[\w-]{36}$/

/** The system's word for what went wrong. */
export const codeOf = (error: unknown): string | undefined =>
  (error as NodeJS.ErrnoException | undefined)?.code

/** The error for an operation that failed. */
export function failed(reason: string, cause: unknown): SealwireError {
  const code = codeOf(cause) === "ENOSPC" ? "ERR_STORE_FULL" : "ERR_STORE"
  return new SealwireError(code, `the key ring's folder ${reason}`, { cause })
}

interface File {
  readonly name: string
  /** 0 for a temporary file. */
  readonly version: number
}

/** The files of one text, the latest last, and temporary ones. */
export async function filesOf(folder: string, text: KeyRingText): Promise<File[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return []
    throw failed("cannot be read", error)
  })
  const files = names.flatMap((name) => {
    const found = NAME.exec(name)?.groups
    if (!found || (found["text"] ?? text) !== text) return []
    return [{ name, version: Number(found["version"] ?? 0) }]
  })
  return files.sort((a, b) => a.version - b.version)
}

/** Their latest version; 0 where there is none. */
export const latestOf = (files: readonly File[]): number => files.at(-1)?.version ?? 0

/** Writes a file whose contents are on the disk when it answers. */
export async function writeFlushed(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Flushes the folder's own entries. Windows cannot, and does not need to. */
export async function flushFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes what nobody reads any more. What fails is left for the next time. */
async function prune(folder: string, files: readonly File[]): Promise<void> {
  const oldest = latestOf(files) - KEPT_VERSIONS
  for (const { name, version } of files) {
    if (version > oldest && version !== 0) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs > GRACE_MS) await unlink(path).catch(() => undefined)
  }
}

/** Links a written file to its version; `false` where another process was first. */
export async function publish(
  folder: string,
  written: string,
  text: KeyRingText,
  version: number,
): Promise<boolean> {
  const path = join(folder, `${text}.${version}`)
  try {
    await link(written, path)
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw failed("is on a file system without hard links, or cannot be written", error)
  }
  const files = await filesOf(folder, text)
  if (latestOf(files) >= version + KEPT_VERSIONS) {
    // this version was taken, and pruned since: what the caller has read is long out of date
    await unlink(path)
    return false
  }
  await flushFolder(folder)
  await prune(folder, files)
  return true
}
