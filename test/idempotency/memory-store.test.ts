import { describe, expect, test } from "vitest"

import { memoryIdempotencyStore } from "../../src/server.ts"
import { createTestClock, idempotencyStoreContract } from "../../src/testing.ts"

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)

describe("memoryIdempotencyStore", () => {
  for (const { name, run } of idempotencyStoreContract({ create: () => memoryIdempotencyStore() })) {
    test(name, run)
  }

  test("refuses new operations when it is full, until one has expired", async () => {
    const clock = createTestClock()
    const store = memoryIdempotencyStore({ maxEntries: 1, clock })
    expect(await store.begin("a", bytes(1), 1)).toBeUndefined()
    expect(() => store.begin("b", bytes(1), 1)).toThrow(expect.objectContaining({ code: "ERR_STORE_FULL" }))
    clock.advance(1001)
    expect(await store.begin("b", bytes(1), 1)).toBeUndefined()
  })

  test("takes answers up to its bytes, and has their room again when they have expired", async () => {
    const clock = createTestClock()
    const store = memoryIdempotencyStore({ maxBytes: 3, clock })
    for (const id of ["a", "b"]) await store.begin(id, bytes(1), 1)
    expect(await store.finish("a", bytes(1), bytes(1, 2, 3))).toBe(true)
    expect(() => store.finish("b", bytes(1), bytes(1, 2, 3))).toThrow(
      expect.objectContaining({ code: "ERR_STORE_FULL" }),
    )
    expect(await store.finish("b", bytes(1), bytes(2))).toBe(true)
    clock.advance(1001)
    await store.begin("c", bytes(1), 1)
    expect(await store.finish("c", bytes(1), bytes(1, 2, 3, 4))).toBe(true)
  })
})
