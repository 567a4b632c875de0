import { createHash } from "node:crypto"

import { describe, expect, test } from "vitest"

import { backend } from "#backend"

import type { Bytes } from "../../src/base/bytes.ts"
import type { Backend } from "../../src/crypto/backend.ts"
import { hashOf } from "../../src/crypto/derive.ts"

const lengthOf = (bytes: Uint8Array): Buffer => {
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(bytes.length))
  return length
}
const prefixed = (bytes: Uint8Array): Buffer => Buffer.concat([lengthOf(bytes), bytes])

/** What docs/protocol.md says it is. */
function expected(name: string, fields: readonly Uint8Array[], tail: Uint8Array): string {
  const parts = [prefixed(Buffer.from(`sealwire/1 ${name}`)), ...fields.map(prefixed), tail]
  return createHash("sha256").update(Buffer.concat(parts)).digest("hex")
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const filled = (length: number, value: number): Bytes => new Uint8Array(length).fill(value)

describe("labelled hashes", () => {
  test.each([0, 1, 371, 3000, 4000, 4096, 5000])(
    "hash a field of %i bytes after a longer one",
    async (length) => {
      await hashOf(backend, "digest", [filled(4020, 255)])
      const field = filled(length, 7)
      const tail = filled(32, 9)
      expect(hex(await hashOf(backend, "claim", [field, field], tail))).toBe(
        expected("claim", [field, field], tail),
      )
    },
  )

  test("leave nothing of what was hashed where it was joined", async () => {
    const joined: Bytes[] = []
    const watched: Backend = {
      ...backend,
      sha256: (data) => {
        joined.push(data)
        return backend.sha256(data)
      },
    }
    for (const length of [100, 5000]) await hashOf(watched, "digest", [filled(length, 7)])
    expect(joined).toHaveLength(2)
    for (const data of joined) expect(data.every((byte) => byte === 0)).toBe(true)
  })

  test("do not disturb each other on a platform that reads its input later", async () => {
    const late: Backend = {
      ...backend,
      sha256: async (data) => {
        await new Promise((resolve) => setImmediate(resolve))
        return backend.sha256(data)
      },
    }
    const values = [1, 2, 3]
    const digests = await Promise.all(values.map((value) => hashOf(late, "digest", [filled(100, value)])))
    const tail = new Uint8Array(0)
    expect(digests.map(hex)).toEqual(values.map((value) => expected("digest", [filled(100, value)], tail)))
  })
})
