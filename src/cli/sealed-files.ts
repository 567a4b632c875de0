/**
 * Files of any size: `seal --file` and `open --file`.
 *
 * @module
 */

import { stat } from "node:fs/promises"
import { setFlagsFromString } from "node:v8"

import {
  fileReader,
  type OpenedFile,
  openFile,
  type OpenFileOptions,
  type SealedFile,
  sealFile,
  type SealFileOptions,
} from "../file.ts"
import { SealwireError } from "../index.ts"
import { openedSize } from "../stream.ts"
import { CommandError, reasonOf } from "./failure.ts"
import { showProgress } from "./progress.ts"

/** What to read and to write; undefined for the standard streams. */
export interface Ends {
  readonly input: string | undefined
  readonly output: string | undefined
}

/** Enough for the longest head. */
const HEAD_BYTES = 100_000

const fileName = (path: string | undefined): string | undefined => (path === "-" ? undefined : path)

/** Bytes of plaintext, for the progress; undefined where nobody knows before the end. */
async function totalBytes(path: string | undefined, isSealed: boolean): Promise<number | undefined> {
  if (path === undefined || !process.stderr.isTTY) return undefined
  if (!isSealed) {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  }
  const file = await fileReader(path)
  try {
    return openedSize(file.size, await file.read(0, Math.min(HEAD_BYTES, file.size)))
  } finally {
    await file.close()
  }
}

/** What the system or the library said, in the command's words. */
function failureOf(error: unknown, { input, output }: Ends): unknown {
  if (error instanceof SealwireError || error instanceof CommandError) return error
  const reason = reasonOf(error)
  if (reason === "EEXIST") {
    return new CommandError("ERR_EXISTS", `${output ?? ""} exists, and nothing is overwritten`)
  }
  if (!/^E[A-Z]/.test(reason) || reason.startsWith("ERR_")) return error
  const names = `${input ?? "standard input"} or ${output ?? "standard output"}`
  return new CommandError("ERR_FILE", `cannot read or write ${names} (${reason})`)
}

/**
 * Before Node 21 the memory of each chunk waits for a garbage collection, which comes late where the young generation has grown: 60 MiB
 * instead of 25, measured over 5 GiB. Later versions give it back at once.
 */
function keepMemoryLow(): void {
  if (!("transfer" in ArrayBuffer.prototype)) setFlagsFromString("--semi-space-growth-factor=1")
}

/** Runs a work with progress; an interrupt ends it in order, so that it leaves nothing. */
async function run<Result>(
  ends: Ends,
  isSealed: boolean,
  work: (
    input: string | NodeJS.ReadStream,
    output: string | NodeJS.WriteStream,
    watch: { signal: AbortSignal; onProgress: (bytes: number) => void },
  ) => Promise<Result>,
): Promise<Result> {
  keepMemoryLow()
  const input = fileName(ends.input)
  const stop = new AbortController()
  const interrupt = (): void =>
    stop.abort(new CommandError("ERR_ABORTED", "interrupted; nothing was left behind"))
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt)
  try {
    const progress = showProgress(await totalBytes(input, isSealed))
    const watch = { signal: stop.signal, onProgress: (bytes: number) => progress.update(bytes) }
    const result = await work(input ?? process.stdin, ends.output ?? process.stdout, watch).catch(
      (error: unknown) => {
        progress.end(false)
        throw error
      },
    )
    progress.end(true)
    return result
  } catch (error) {
    throw failureOf(error, { input, output: ends.output })
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt)
  }
}

/** Seals from one end to the other. */
export function sealBetween(ends: Ends, options: SealFileOptions): Promise<SealedFile> {
  return run(ends, false, (input, output, watch) => sealFile(input, output, { ...options, ...watch }))
}

/** Opens from one end to the other. */
export function openBetween(ends: Ends, options: OpenFileOptions): Promise<OpenedFile> {
  return run(ends, true, (input, output, watch) => openFile(input, output, { ...options, ...watch }))
}

/**
 * What a file on standard output leaves no room for.
 *
 * @throws `CommandError` `ERR_USAGE`
 */
export function assertOutput(output: string | undefined, json: boolean): void {
  if (output !== undefined) return
  if (json) throw new CommandError("ERR_USAGE", "--json needs --output where standard output takes a file")
  if (process.stdout.isTTY) {
    throw new CommandError("ERR_USAGE", "a file is not for a terminal: give --output, or redirect")
  }
}
