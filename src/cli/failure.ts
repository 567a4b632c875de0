/**
 * How a command fails: one line on stderr with a code, and an exit code. Never a stack, never a secret.
 *
 * @module
 */

import { CommanderError } from "commander"

import { type ErrorCode, SealwireError } from "../index.ts"
import { escapeControls } from "./terminal.ts"

/**
 * What went wrong, besides the library's own codes.
 *
 * - `ERR_USAGE`: the command line makes no sense; the only one with exit code 2.
 * - `ERR_FILE`: a file or a pipe cannot be read or written.
 * - `ERR_EXISTS`: a file is there already, and nothing is overwritten.
 * - `ERR_NOT_FOUND`: there is no such API key.
 * - `ERR_PASSPHRASE`: a passphrase is needed and none was given.
 * - `ERR_FORMAT`: what was given is not an envelope.
 * - `ERR_RING`: a step of a key's life that would lose messages, or that its state does not allow.
 * - `ERR_ABORTED`: the user ended the work.
 * - `ERR_VECTORS`: a known answer did not open to its values.
 * - `ERR_CHECK`: a row of a deployment's check is red.
 * - `ERR_CHECK_INCOMPLETE`: none is red, and some were not tested; the only one with exit code 3.
 */
type CommandErrorCode =
  | ErrorCode
  | "ERR_NOT_FOUND"
  | "ERR_USAGE"
  | "ERR_FILE"
  | "ERR_EXISTS"
  | "ERR_PASSPHRASE"
  | "ERR_FORMAT"
  | "ERR_RING"
  | "ERR_ABORTED"
  | "ERR_VECTORS"
  | "ERR_CHECK"
  | "ERR_CHECK_INCOMPLETE"

/** A command's own refusal. */
export class CommandError extends Error {
  readonly code: CommandErrorCode

  constructor(code: CommandErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** The user's next step, after the library's own words. */
const HINTS: Partial<Record<CommandErrorCode, string>> = {
  ERR_OPEN_FAILED:
    "; another key, another context, a signer not given with --signed-by, and an age of more than a day all look the same: see `sealwire inspect`",
  ERR_STALE: "; --max-age accepts older ones",
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly exitCode: 0 | 1 | 2 | 3
}

/** Codes whose exit code is not 1. */
const EXIT_CODES: Partial<Record<CommandErrorCode, 2 | 3>> = { ERR_USAGE: 2, ERR_CHECK_INCOMPLETE: 3 }

/** The system's word for what a file did, such as `ENOENT`. */
export function reasonOf(error: unknown): string {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  return code ?? message ?? "unknown reason"
}

function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, "")
    // help and version are errors to the parser
    return { code: "ERR_USAGE", message, exitCode: error.exitCode === 0 ? 0 : 2 }
  }
  if (error instanceof CommandError) {
    return { code: error.code, message: error.message, exitCode: EXIT_CODES[error.code] ?? 1 }
  }
  if (error instanceof SealwireError) {
    const { code, message, cause } = error
    const reason = cause === undefined ? "" : ` (${reasonOf(cause)})`
    return { code, message: message + reason + (HINTS[code] ?? ""), exitCode: 1 }
  }
  return { code: "ERR_INTERNAL", message: error instanceof Error ? error.message : "unknown", exitCode: 1 }
}

/** Writes the line that says what went wrong, and gives the exit code. */
export function reportFailure(error: unknown, json: boolean): number {
  const { code, message, exitCode } = describeFailure(error)
  // the parser has written its help by now
  if (exitCode === 0 || (error instanceof CommanderError && error.code === "commander.help")) return exitCode
  const line = escapeControls(message.replaceAll("\n", " "))
  process.stderr.write(json ? `${JSON.stringify({ code, message: line })}\n` : `sealwire: ${code}: ${line}\n`)
  return exitCode
}
