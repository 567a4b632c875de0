/**
 * Replies as an application gets them. docs/protocol.md §5.
 *
 * @module
 */

import type { EnvelopeEnd } from "./exporter.ts"
import { OpenedReply } from "./opened.ts"
import { replyReader } from "./reply.ts"

/** Gives the function that opens the reply to an envelope, once. */
export async function replyOpener(end: EnvelopeEnd): Promise<(reply: string) => Promise<OpenedReply>> {
  const read = await replyReader(end)
  return async (reply) => new OpenedReply(await read(reply))
}
