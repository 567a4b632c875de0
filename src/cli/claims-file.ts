/**
 * The replay store of the command: one append-only file, exactly once across processes, without locks.
 *
 * A claim is one line, `id expiry nonce`, written by one append and flushed; then the file is read, and the first line with
 * that id has won. Local file systems put whole appends one after the other (POSIX `O_APPEND`, Windows `FILE_APPEND_DATA`), so
 * all readers see the same first line. NFS does not: the state folder must not be on it.
 *
 * Nothing is ever dropped, so an envelope that was opened stays opened, whatever `--max-age` says the next time. The file
 * grows by 95 bytes for each envelope, and may be deleted when none older is still to be refused.
 *
 * @module
 */

import { randomUUID } from "node:crypto"
import { mkdir, open, readFile } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, isAbsolute, join } from "node:path"

import type { ReplayStore } from "../replay.ts"

/** Where programs keep their state: the XDG variable where it is set, else what the system's users expect. */
function stateFolder(): string {
  const { XDG_STATE_HOME = "", LOCALAPPDATA = "" } = process.env
  // the specification says to ignore a relative path
  if (isAbsolute(XDG_STATE_HOME)) return XDG_STATE_HOME
  if (process.platform === "win32" && isAbsolute(LOCALAPPDATA)) return LOCALAPPDATA
  return process.platform === "darwin"
    ? join(homedir(), "Library", "Application Support")
    : join(homedir(), ".local", "state")
}

/** The file of this user's claims. */
export function claimsPath(): string {
  return join(stateFolder(), "sealwire", "claims")
}

async function append(path: string, line: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(path, "a", 0o600)
  try {
    // one call: a second one for the rest would not be one append
    const { bytesWritten } = await file.write(line)
    if (bytesWritten !== line.length) throw new Error("the claim was written in part")
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A store over an append-only file, which is created when it is first needed. */
export function claimsFile(path: string): ReplayStore {
  return {
    async claim(id, expiresAtMs) {
      // the line break comes first: a line that a full disk cut short does not spoil the next
      const line = Buffer.from(`\n${id} ${expiresAtMs} ${randomUUID()}`)
      await append(path, line)
      const claims = await readFile(path)
      const first = claims.indexOf(`\n${id} `)
      if (first === -1) throw new Error("the claim is not in the file that it was written to")
      return claims.subarray(first, first + line.length).equals(line)
    },
  }
}
