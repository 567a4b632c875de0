/**
 * Files to write, on Node: under another name until they are complete, so that no failure, and no crash, leaves a part of one
 * under its own.
 *
 * @module
 */

import { randomUUID } from "node:crypto"
import { type FileHandle, link, lstat, open, rename, unlink } from "node:fs/promises"
import { dirname, join } from "node:path"

import { describe } from "../base/text.ts"
import { type Batch, releaseBatch } from "./chunk-cipher.ts"
import { type FilePath, isPath, toPath } from "./file-source.ts"

/** A Node `Writable`, as far as it is written. */
export interface WritableBytes {
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean
  end(callback: () => void): unknown
  destroy(error?: Error): unknown
  on(event: "error", listener: (error: Error) => void): unknown
}

/** Options about the file that is made. */
export interface OutputOptions {
  /** Replaces a file that is there. Default: false, and the error is the system's, `EEXIST`. */
  readonly overwrite?: boolean
  /** Permissions of the new file, less the umask. Default: 0o600 for what was opened, 0o666 for what was sealed. */
  readonly mode?: number
}

/** Where a result goes. Either `finish` or `discard` is called in the end. */
export interface Sink {
  /** Of a file, which is written anywhere. */
  readonly fd?: number
  write(batch: Batch): Promise<void>
  /** Makes what was written count. */
  finish(): Promise<void>
  /** Leaves nothing of it. */
  discard(reason: unknown): Promise<void>
}

const reasonOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

function existsError(path: string): Error {
  return Object.assign(new Error(`EEXIST: file already exists, '${path}'`), { code: "EEXIST", path })
}

async function assertAbsent(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (reasonOf(error) === "ENOENT") return undefined
    throw error
  })
  if (found) throw existsError(path)
}

/** Writes a batch in one call of the system, as far as that goes: it may take less, such as when a disk is nearly full. */
async function writeAll(file: FileHandle, batch: Batch): Promise<void> {
  let { bytesWritten } = await file.writev(batch)
  for (const part of batch) {
    const skipped = Math.min(bytesWritten, part.length)
    bytesWritten -= skipped
    for (let at = skipped; at < part.length;) {
      at += (await file.write(part, at, part.length - at)).bytesWritten
    }
  }
  releaseBatch(batch)
}

/** Gives a finished file its name, and never takes the name of another. */
async function nameNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    // file systems without hard links (FAT, some network shares): no single step asks and takes there
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(reasonOf(error) ?? "")) throw error
    await assertAbsent(path)
    return rename(temporary, path)
  }
  await unlink(temporary)
}

/** Makes the new name survive a power failure. Windows has no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function fileSink(path: string, overwrite: boolean, mode: number): Promise<Sink> {
  // said before the work; what appears meanwhile is found by nameNew
  if (!overwrite) await assertAbsent(path)
  const folder = dirname(path)
  const temporary = join(folder, `.sealwire-${randomUUID()}.tmp`)
  const file = await open(temporary, "wx", mode)
  let isNamed = false
  return {
    fd: file.fd,
    write: (batch) => writeAll(file, batch),
    async finish() {
      await file.sync()
      await file.close()
      await (overwrite ? rename(temporary, path) : nameNew(temporary, path))
      isNamed = true
      await syncFolder(folder)
    },
    async discard() {
      await file.close().catch(() => undefined)
      if (!isNamed) await unlink(temporary).catch(() => undefined)
    },
  }
}

function streamSink(stream: WritableBytes): Sink {
  let failed: { readonly error: unknown } | undefined
  const failure = new Promise<never>((_, reject) => {
    stream.on("error", (error) => {
      failed = { error }
      reject(error)
    })
  })
  failure.catch(() => undefined)
  // as `pipe` does: the standard streams belong to the process
  const isOwn = stream !== process.stdout && stream !== process.stderr
  return {
    async write(batch) {
      if (failed) throw failed.error
      const last = batch.at(-1)
      if (!last) return
      for (const part of batch.slice(0, -1)) stream.write(part)
      await new Promise<void>((resolve, reject) => {
        stream.write(last, (error) => {
          if (error) reject(error)
          else resolve()
        })
      })
      // the system has it; who reads another stream may keep what was written to it
      if (!isOwn) releaseBatch(batch)
    },
    async finish() {
      if (isOwn) await Promise.race([failure, new Promise<void>((resolve) => stream.end(resolve))])
    },
    async discard(reason) {
      // the listener stays: who destroys a stream with an error must also hear it
      if (isOwn) stream.destroy(reason instanceof Error ? reason : new Error("aborted", { cause: reason }))
    },
  }
}

/**
 * Opens where a result goes: a new file by its path, or a Node stream.
 *
 * @throws `TypeError`; the system's error, `EEXIST` among them.
 */
export async function openSink(
  destination: FilePath | WritableBytes,
  { overwrite = false, mode }: OutputOptions,
  defaultMode: number,
): Promise<Sink> {
  if (isPath(destination)) return fileSink(toPath(destination), overwrite, mode ?? defaultMode)
  if (typeof (destination as Partial<WritableBytes> | undefined)?.write === "function")
    return streamSink(destination)
  throw new TypeError(`destination must be a path or a Node stream to write, not ${describe(destination)}`)
}
