/**
 * Writing results: to standard output, or to a new file. No command overwrites a file.
 *
 * @module
 */

import { open, unlink } from "node:fs/promises"

import type { Command } from "commander"

import { CommandError, reasonOf } from "./failure.ts"
import { escapeLines } from "./terminal.ts"

/** Where a result goes. Made before the work, so that nothing is used up when there is no place for it. */
export interface Destination {
  /** What to call it in a report; undefined for standard output. */
  readonly path: string | undefined
  write(data: string | Uint8Array): Promise<void>
  /** Takes back what was made, after a failure. */
  discard(): Promise<void>
}

/** Files that only their owner reads. */
export const PRIVATE_MODE = 0o600
/** Files that whoever the umask allows may read. */
export const PUBLIC_MODE = 0o666

/** Creates a file that was not there. */
async function createFile(path: string, mode: number): Promise<Destination> {
  const file = await open(path, "wx", mode).catch((error: unknown) => {
    const reason = reasonOf(error)
    if (reason === "EEXIST")
      throw new CommandError("ERR_EXISTS", `${path} exists, and nothing is overwritten`)
    throw new CommandError("ERR_FILE", `cannot write ${path} (${reason})`)
  })
  return {
    path,
    async write(data) {
      try {
        await file.writeFile(data)
        await file.close()
      } catch (error) {
        throw new CommandError("ERR_FILE", `cannot write ${path} (${reasonOf(error)})`)
      }
    },
    async discard() {
      await file.close()
      // what went wrong before is what the user must read
      await unlink(path).catch(() => undefined)
    },
  }
}

/** Writes to standard output, and waits until it is out. */
export async function writeStdout(data: string | Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => {
      reject(new CommandError("ERR_FILE", `cannot write standard output (${reasonOf(error)})`))
    }
    process.stdout.once("error", fail)
    process.stdout.write(data, (error) => {
      if (error) fail(error)
      else resolve()
    })
  })
}

/** Standard output; a terminal gets no control characters from a message. */
const STDOUT: Destination = {
  path: undefined,
  write: (data) =>
    writeStdout(
      process.stdout.isTTY && typeof data !== "string" ? escapeLines(Buffer.from(data).toString()) : data,
    ),
  discard: () => Promise.resolve(),
}

/** Adds `--output`. */
export function addOutputOption(command: Command, what: string): Command {
  const description = `where the ${what} goes: a new file; standard output by default`
  return command.option("-o, --output <file>", description, (path) => (path === "-" ? undefined : path))
}

/** The file of `--output`, or standard output. */
export async function destinationOf(output: string | undefined, mode: number): Promise<Destination> {
  return output === undefined ? STDOUT : createFile(output, mode)
}

/** Creates files that were not there: all of them, or none. */
export async function createFiles(
  files: readonly { readonly path: string; readonly mode: number }[],
): Promise<readonly Destination[]> {
  const created: Destination[] = []
  try {
    for (const { path, mode } of files) created.push(await createFile(path, mode))
    return created
  } catch (error) {
    for (const file of created) await file.discard()
    throw error
  }
}

/** Makes the contents of destinations and writes them; after any failure, no file stays behind. */
export async function fill<Result extends { readonly contents: readonly (string | Uint8Array)[] }>(
  destinations: readonly Destination[],
  make: () => Promise<Result>,
): Promise<Result> {
  try {
    const result = await make()
    for (const [index, destination] of destinations.entries()) {
      await destination.write(result.contents[index] ?? "")
    }
    return result
  } catch (error) {
    for (const destination of destinations) await destination.discard()
    throw error
  }
}

/** One JSON document on one line. */
export function writeJson(value: unknown): Promise<void> {
  return writeStdout(`${JSON.stringify(value)}\n`)
}
