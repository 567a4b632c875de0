/**
 * Reading files and standard input, never more than a limit.
 *
 * @module
 */

import { open } from "node:fs/promises"

import { CommandError, reasonOf } from "./failure.ts"

/** The library's own limit for a message, and the room that an envelope of it takes. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
const MAX_ENVELOPE_BYTES = Math.ceil((MAX_MESSAGE_BYTES * 4) / 3) + 4096

async function readStream(stream: AsyncIterable<Buffer>, name: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > maxBytes) {
      const hint = maxBytes < MAX_MESSAGE_BYTES ? "" : "; --file takes any size"
      throw new CommandError("ERR_TOO_LARGE", `${name} is above ${maxBytes} bytes${hint}`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Reads a file; standard input for `-`, or for no name. */
export async function readInput(path = "-", maxBytes: number = MAX_MESSAGE_BYTES): Promise<Buffer> {
  const name = path === "-" ? "standard input" : path
  try {
    if (path === "-") return await readStream(process.stdin, name, maxBytes)
    const file = await open(path)
    return await readStream(file.createReadStream(), name, maxBytes)
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError("ERR_FILE", `cannot read ${name} (${reasonOf(error)})`)
  }
}

/** Reads an envelope, without the line feed that text files end in. */
export async function readEnvelope(path: string | undefined): Promise<string> {
  const bytes = await readInput(path, MAX_ENVELOPE_BYTES)
  const text = bytes.toString("latin1")
  if (text.startsWith("sealwire/1 stream\n"))
    throw new CommandError("ERR_FORMAT", "this is a sealed file, not an envelope: open it with --file")
  return text.replace(/\r?\n$/, "")
}
