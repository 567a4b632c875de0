/**
 * Seals and opens chunks, many at a time: a backend that hands work to threads gets all of them at once, and one call of a
 * file or stream carries them all. docs/protocol.md §10.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import type { AesGcmSealed, Backend, MaybePromise } from "../crypto/backend.ts"
import { TAG_BYTES } from "../crypto/sizes.ts"
import type { BodyKeys } from "./body-keys.ts"
import { nonceAt } from "./layout.ts"

/** Chunks that are worked on at a time: with less than 1 MiB the calls cost more than the cipher, with more only memory grows. */
export const BATCH_CHUNKS = 64

/** Bytes in a row, as the arrays that a platform gave. Joining them costs a file a tenth of its time, so only who must does it. */
export type Batch = readonly Bytes[]

/** Chunks of one body in a row, the first of which has the index `first`. */
export interface ChunkCipher {
  seal(first: number, chunks: readonly Bytes[]): Promise<Batch>
  /**
   * Opens all of them or none.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED`
   */
  open(first: number, chunks: readonly Bytes[]): Promise<Batch>
}

/** The body is not what was sealed. Its keys are known by then, so saying so tells nobody anything. */
export function bodyFailed(): SealwireError {
  return new SealwireError("ERR_OPEN_FAILED", "the sealed stream was altered or cut short")
}

const NO_AAD = new Uint8Array(0)

/**
 * Gives back the memory of a batch that was written or copied, where the engine can (ES2024): what waits for the garbage collection
 * comes to three times as much memory as all else here. Only what has a buffer to itself.
 */
export function releaseBatch(batch: Batch): void {
  for (const { buffer, byteLength } of batch) {
    if (byteLength === 0 || buffer.byteLength !== byteLength) continue
    ;(buffer as { transfer?: (bytes: number) => ArrayBuffer }).transfer?.(0)
  }
}

/** A batch as one array. The batch is used up. */
export function joinBatch(batch: Batch): Bytes {
  const joined = concat(...batch)
  releaseBatch(batch)
  return joined
}

/** Waits for what there is to wait for: a backend that answers at once has no promise for each chunk. */
function allOf<Answer>(answers: readonly MaybePromise<Answer>[]): Promise<Answer[]> {
  return Promise.all(answers)
}

/** Creates the cipher of one body. */
export async function createChunkCipher(
  backend: Backend,
  { key, baseNonce }: Pick<BodyKeys, "key" | "baseNonce">,
): Promise<ChunkCipher> {
  const aes = await backend.importAesKey(key)
  return {
    async seal(first, chunks) {
      const seal = (chunk: Bytes, index: number): MaybePromise<AesGcmSealed> =>
        aes.seal(nonceAt(baseNonce, first + index), NO_AAD, chunk)
      const sealed = await allOf(chunks.map(seal))
      return sealed.flatMap(({ ciphertext, tag }) => [ciphertext, tag])
    },

    async open(first, chunks) {
      if (chunks.some(({ length }) => length < TAG_BYTES)) throw bodyFailed()
      const open = (chunk: Bytes, index: number): MaybePromise<Bytes> =>
        aes.open(nonceAt(baseNonce, first + index), NO_AAD, chunk)
      try {
        return await allOf(chunks.map(open))
      } catch {
        throw bodyFailed()
      }
    },
  }
}
