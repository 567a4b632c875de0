/**
 * Rows on the key directory: what signs it, whether that is pinned, and that it does not go back. docs/protocol.md §7.
 *
 * @module
 */

import { SealwireError } from "../../client.ts"
import { fail, type Finding, notTested, pass, type Probe, type Probing, summaryOf } from "./probe.ts"
import { readDirectory } from "./sealed.ts"
import { DIRECTORY_PATH, type Target } from "./target.ts"
import { NoAnswer, type Reply } from "./wire.ts"

const GET = { method: "GET", path: DIRECTORY_PATH, headers: {} }
const SENDS = `GET ${DIRECTORY_PATH}`

/** Whom a directory claims to be by; what it is worth shows when it is read with this pin. */
function claimedIdentity(text: string): string | undefined {
  try {
    const header: unknown = JSON.parse(Buffer.from(text.split(".", 1)[0] ?? "", "base64url").toString())
    const { kid } = header as { readonly kid?: unknown }
    return typeof kid === "string" && /^[\w-]{43}$/.test(kid) ? kid : undefined
  } catch {
    return undefined
  }
}

async function read({ target, notes }: Probing, reply: Reply, lowestSeq: number): Promise<Finding> {
  if (reply.status !== 200) return fail(summaryOf(reply))
  const text = reply.body.toString("latin1").trim()
  const identity = claimedIdentity(text)
  if (identity === undefined) return fail(`${summaryOf(reply)}, which is no directory`)
  try {
    const directory = await readDirectory(target, text, identity, lowestSeq)
    notes.directory ??= directory
    return pass(`signed by ${identity}, seq ${directory.seq}, for ${target.url.origin}`)
  } catch (error) {
    if (error instanceof SealwireError) return fail(error.message)
    throw error
  }
}

const signed: Probe = {
  name: "directory",
  sends: [SENDS],
  advice:
    "serve the directory of createEndpoint({ directory }) untouched; its origin must be the URL that clients use, and the server's clock right",
  async run(probing) {
    try {
      const reply = await probing.wire.send(GET)
      probing.notes.replies.set("directory", reply)
      return await read(probing, reply, 0)
    } catch (error) {
      if (error instanceof NoAnswer) return fail(`nothing came back: ${error.message}`)
      throw error
    }
  },
}

const pinned = (pin: string | undefined): Probe => ({
  name: "pin",
  sends: [],
  advice:
    "find out whose key this is before anything else: somebody stands between, or clients were shipped another pin",
  skip: pin === undefined ? "give --pin THUMBPRINT, as clients have it" : undefined,
  run({ notes: { directory } }) {
    if (!directory) return Promise.resolve(notTested("there is no good directory"))
    const { identity } = directory
    return Promise.resolve(identity === pin ? pass(identity) : fail(`signed by ${identity}`))
  },
})

const rising = (lowestSeq: number): Probe => ({
  name: "seq",
  sends: [`${SENDS}, once more`],
  advice:
    "every server must have the same seq, and a higher one with every change of keys; a cache must not serve old ones",
  async run(probing) {
    const { directory } = probing.notes
    if (!directory) return notTested("there is no good directory")
    if (directory.seq < lowestSeq) return fail(`seq ${directory.seq}, below ${lowestSeq}`)
    return read(probing, await probing.wire.send(GET), directory.seq)
  },
})

/** The rows on the key directory. */
export const directoryProbes = ({ pin, lowestSeq }: Target): readonly Probe[] => [
  signed,
  pinned(pin),
  rising(lowestSeq),
]
