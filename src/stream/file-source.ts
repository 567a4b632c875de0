/**
 * Files to read, on Node: in large steps, one of them ahead of the work. What a stream of 64 KiB pieces costs is not the
 * cipher but the calls.
 *
 * @module
 */

import { type FileHandle, open } from "node:fs/promises"
import { fileURLToPath } from "node:url"

import type { Bytes } from "../base/bytes.ts"
import type { RandomReader } from "./open-range.ts"
import { type PieceReader, readPieces } from "./pieces.ts"
import type { ByteSource } from "./platform.ts"

/** A path, or a `file:` URL. */
export type FilePath = string | { readonly href: string }

const STEP_BYTES = 1024 * 1024

/** Whether an argument names a file. */
export function isPath(value: unknown): value is FilePath {
  return typeof value === "string" || (typeof value === "object" && value !== null && "href" in value)
}

/** The path as the system takes it. */
export function toPath(path: FilePath): string {
  return typeof path === "string" ? path : fileURLToPath(path.href)
}

/** Reads a file from where it stands, in two buffers: a piece is good until the one after it is asked for. */
function readFilePieces(file: FileHandle): PieceReader {
  const buffers = [new Uint8Array(STEP_BYTES), new Uint8Array(STEP_BYTES)] as const
  let stopped: { readonly reason: unknown } | undefined
  let turn: 0 | 1 = 0

  async function readAhead(): Promise<Bytes> {
    const buffer = buffers[turn]
    turn = turn === 0 ? 1 : 0
    const { bytesRead } = await file.read(buffer, 0, STEP_BYTES, null)
    return buffer.subarray(0, bytesRead)
  }

  let ahead: Promise<Bytes> | undefined
  return {
    async read() {
      if (stopped) throw stopped.reason
      const piece = await (ahead ?? readAhead())
      // what goes wrong ahead is told when it is asked for
      if (piece.length > 0) (ahead = readAhead()).catch(() => undefined)
      return piece.length > 0 ? piece : undefined
    },
    async stop(reason) {
      stopped ??= { reason }
      // the file is closed after this, and a read must not find it closed
      await ahead?.catch(() => undefined)
    },
  }
}

/** A source, and how to be done with it. */
export interface OpenSource {
  readonly pieces: PieceReader
  /** Of a regular file, which is read anywhere, as long as it was when it was opened. */
  readonly file?: { readonly fd: number; readonly size: number } | undefined
  close(): Promise<void>
}

/** Opens what is to be read: a file by its path, or any source. */
export async function openSource(source: FilePath | ByteSource): Promise<OpenSource> {
  if (!isPath(source)) {
    const pieces = readPieces(source)
    return { pieces, close: () => pieces.stop(undefined).catch(() => undefined) }
  }
  const file = await open(toPath(source))
  const pieces = readFilePieces(file)
  async function close(): Promise<void> {
    await pieces.stop(undefined)
    await file.close()
  }
  try {
    const stats = await file.stat()
    return { pieces, file: stats.isFile() ? { fd: file.fd, size: stats.size } : undefined, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A file, open for reading anywhere. */
export interface FileReader extends RandomReader {
  /** Closes the file; reads fail from now on. */
  close(): Promise<void>
}

/**
 * Opens a file for `openRange`.
 *
 * @throws The system's error.
 * @example
 * ```ts
 * import { fileReader } from "sealwire/file"
 * import { openRange } from "sealwire/stream"
 * import type { PrivateKey } from "sealwire"
 *
 * async function firstKilobyte(path: string, key: PrivateKey): Promise<Uint8Array> {
 *   const file = await fileReader(path)
 *   try {
 *     return await (await openRange(file, { with: key })).read(0, 1024)
 *   } finally {
 *     await file.close()
 *   }
 * }
 * ```
 */
export async function fileReader(path: FilePath): Promise<FileReader> {
  const file = await open(toPath(path))
  try {
    const { size } = await file.stat()
    return {
      size,
      async read(offset, length) {
        const buffer = new Uint8Array(length)
        let filled = 0
        while (filled < length) {
          const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
          if (bytesRead === 0) break
          filled += bytesRead
        }
        return buffer.subarray(0, filled)
      },
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}
