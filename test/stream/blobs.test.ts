import { expect, test } from "vitest"

import type { BlobLike } from "../../src/stream/platform.ts"
import { openStream } from "../../src/stream/open-stream.ts"
import { sealStream } from "../../src/stream/seal-stream.ts"
import { collect, plaintextOf } from "../support/pieces.ts"
import { errorOf } from "../support/reader.ts"
import { reader } from "../support/streams.ts"

const MIB = 1024 * 1024
const to = reader.publicKey
const plaintext = plaintextOf(3.5 * MIB)

/** A Blob whose stream is another one. */
const blobOf = (stream: ReadableStream<Uint8Array>): BlobLike => {
  const blob = new Blob([plaintext])
  return {
    size: blob.size,
    slice: () => blob,
    arrayBuffer: () => blob.arrayBuffer(),
    stream: () => stream,
  }
}

test("a Blob of several buffers is sealed and opened in its order", async () => {
  const sealed = new Blob([await collect(sealStream(new Blob([plaintext]), { to }))])
  const opened = await openStream(sealed, { with: reader })
  expect(await collect(opened.stream)).toEqual(plaintext)
})

test("an empty Blob is sealed", async () => {
  const opened = await openStream(sealStream(new Blob([]), { to }), { with: reader })
  expect(await collect(opened.stream)).toHaveLength(0)
})

test("a Blob is read where the platform's are no byte streams", async () => {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < plaintext.length; at += 100_000) {
        controller.enqueue(plaintext.slice(at, at + 100_000))
      }
      controller.close()
    },
  })
  expect(() => stream.getReader({ mode: "byob" })).toThrow(TypeError)
  const opened = await openStream(sealStream(blobOf(stream), { to }), { with: reader })
  expect(await collect(opened.stream)).toEqual(plaintext)
})

test("a Blob that cannot be read to its end fails with its own error, and is read one buffer ahead at most", async () => {
  let reads = 0
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const request = controller.byobRequest
      if (!request?.view || ++reads === 4) throw new Error("the disk was removed")
      request.respond(request.view.byteLength)
    },
  })
  const sealed = sealStream(blobOf(stream), { to }).getReader()
  // the head, the salt and the commitment, and the chunks of one buffer
  for (let i = 0; i < 3; i++) await sealed.read()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(reads).toBeLessThanOrEqual(3)
  const error = await errorOf(
    (async () => {
      while (!(await sealed.read()).done);
    })(),
  )
  expect(error).toMatchObject({ message: "the disk was removed" })
})

test("a Blob is let go when the sealed stream is", async () => {
  let reason: unknown
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.byobRequest?.respond(MIB)
    },
    cancel(given) {
      reason = given
    },
  })
  const sealed = sealStream(blobOf(stream), { to }).getReader()
  for (let i = 0; i < 3; i++) await sealed.read()
  await sealed.cancel("no longer needed")
  expect(reason).toBe("no longer needed")
})
