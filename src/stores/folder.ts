/**
 * `sealwire/stores/folder`: a key ring in a folder, shared by the processes of one machine. For Node, Bun and Deno.
 *
 * Each version is a file of its own, `ring.7`. It is written under a temporary name, flushed to the disk, and then linked to its
 * name, which fails when that is taken: so a process that is killed leaves all of a version or nothing, and of two that write
 * the same version one is told so. There is no lock that a killed process could leave behind.
 *
 * @module
 */

import { randomUUID } from "node:crypto"
import { mkdir, readFile, unlink } from "node:fs/promises"
import { dirname, join } from "node:path"

import { SealwireError } from "../base/errors.ts"
import { describe } from "../base/text.ts"
import type { KeyRingStore, KeyRingText, StoredText } from "../key-ring/store.ts"
import { codeOf, failed, filesOf, flushFolder, latestOf, publish, writeFlushed } from "./folder-files.ts"

export type { KeyRingStore, KeyRingText, StoredText } from "../key-ring/store.ts"

/**
 * A key ring in a folder on a local disk, which is made when it is first needed, for its owner only. Does no I/O before it is used.
 *
 * A version is on the disk before `save` answers: it survives `kill -9` and a loss of power. The file system must have hard links;
 * NFS is not supported.
 *
 * @example
 * ```ts
 * import { openKeyRing } from "sealwire/key-ring"
 * import { folderKeyRingStore } from "sealwire/stores/folder"
 *
 * const store = folderKeyRingStore("keys")
 * const ring = await openKeyRing({ store, protection: { passphrase: "correct horse battery staple" }, create: true })
 * ring.list().length // 1
 * await ring.close()
 * ```
 */
export function folderKeyRingStore(folder: string): KeyRingStore {
  if (typeof folder !== "string" || folder === "") {
    throw new TypeError(`folder must be a path, not ${describe(folder)}`)
  }
  async function load(text: KeyRingText): Promise<StoredText | undefined> {
    for (;;) {
      const version = latestOf(await filesOf(folder, text))
      if (version === 0) return undefined
      try {
        return { version, text: await readFile(join(folder, `${text}.${version}`), "utf8") }
      } catch (error) {
        // pruned since: there is a later one
        if (codeOf(error) !== "ENOENT") throw failed("cannot be read", error)
      }
    }
  }
  async function save(name: KeyRingText, text: string, version: number): Promise<boolean> {
    if (latestOf(await filesOf(folder, name)) !== version - 1) return false
    const written = join(folder, `.new.${randomUUID()}`)
    try {
      const made = await mkdir(folder, { recursive: true, mode: 0o700 })
      if (made !== undefined) await flushFolder(dirname(made))
      await writeFlushed(written, text)
      return await publish(folder, written, name, version)
    } catch (error) {
      throw error instanceof SealwireError ? error : failed("cannot be written", error)
    } finally {
      await unlink(written).catch(() => undefined)
    }
  }
  return { load, save }
}
