/**
 * What is kept of an operation, and how: as it is where it stays in the process, else encrypted under a key that the store does not
 * have, bound to the operation's id.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import type { Backend } from "../crypto/backend.ts"
import { RecordCipher } from "../crypto/record-cipher.ts"

/** What is known of an operation. */
export interface OperationRecord {
  /** SHA-256 of the message that asked for it. */
  readonly digest: Bytes
  /** Begun: under way, or cut off, so that nobody knows. Unkept: carried out, with an answer that was not kept. */
  readonly state: "begun" | "unkept" | "answered"
  /** Empty, unless `answered`. */
  readonly answer: Bytes
}

const STATES = ["begun", "unkept", "answered"] as const
const DIGEST_BYTES = 32

/** `digest(32) ‖ state(1) ‖ answer` */
function serializeRecord({ digest, state, answer }: OperationRecord): Bytes {
  return concat(digest, new Uint8Array([STATES.indexOf(state)]), answer)
}

function parseRecord(bytes: Bytes): OperationRecord | undefined {
  const state = STATES[bytes[DIGEST_BYTES] ?? -1]
  if (state === undefined) return undefined
  return { digest: bytes.slice(0, DIGEST_BYTES), state, answer: bytes.slice(DIGEST_BYTES + 1) }
}

/** A record as a store has it. */
export interface OperationCodec {
  encode(id: string, record: OperationRecord): Promise<Uint8Array>
  /** Undefined for what no key of this server has made for this id. */
  decode(id: string, content: Uint8Array): Promise<OperationRecord | undefined>
}

/** For a store in this process. */
const plain: OperationCodec = {
  encode: async (_, record) => serializeRecord(record),
  decode: async (_, content) => parseRecord(new Uint8Array(content)),
}

/** The codec for a store; without keys the store is one in this process. */
export function operationCodec(backend: Backend, recordKeys: readonly Bytes[] | undefined): OperationCodec {
  if (!recordKeys) return plain
  const cipher = new RecordCipher(backend, recordKeys, "operation record")
  return {
    async encode(id, record) {
      const plaintext = serializeRecord(record)
      const content = await cipher.seal(id, plaintext)
      plaintext.fill(0)
      return content
    },
    async decode(id, content) {
      const plaintext = await cipher.open(id, content)
      return plaintext && parseRecord(plaintext)
    },
  }
}
