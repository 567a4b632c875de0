/**
 * Memory of chunks that nobody reads. Node gives each chunk of a body memory of its own, and V8 looks through its whole heap for every few
 * megabytes of that: 16 refused bodies of 2 MiB a second made Node 24 do so three times a second, for up to 30 ms each on a busy machine.
 * Given back at once, they make it do so no more, and take half the processor time.
 *
 * @module
 */

import type { IncomingMessage } from "node:http"
import { Socket } from "node:net"

/** Takes a chunk that is needed no more. */
export type Discard = (chunk: Uint8Array) => void

/** From Node 22 on; before that, memory waits for the garbage collector. */
interface Transferable {
  transfer?(byteLength: number): ArrayBuffer
}

function giveBack({ buffer, byteLength }: Uint8Array): void {
  // a part of another's memory is not ours to give back
  if (buffer.byteLength === byteLength) (buffer as Transferable).transfer?.(0)
}

/** What to do with chunks of a body that is not read on. Called before one reads: what somebody else reads, too, is left to him. */
export function discarding(req: IncomingMessage): Discard {
  const isOurs = req.socket instanceof Socket && req.listenerCount("data") === 0
  return isOurs ? giveBack : () => undefined
}

/** Lets the rest of a body come, and drops it. */
export function drain(req: IncomingMessage): void {
  req.on("data", discarding(req)).resume()
}
