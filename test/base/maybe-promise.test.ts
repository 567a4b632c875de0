import { runInNewContext } from "node:vm"

import { expect, test } from "vitest"

import { andThen } from "../../src/base/maybe-promise.ts"

const double = (value: number): number => value * 2

test("goes on at once with a value that is there", () => {
  expect(andThen(21, double)).toBe(42)
  expect(andThen(undefined, () => "nothing is a value")).toBe("nothing is a value")
})

test.each([
  ["a promise", Promise.resolve(21)],
  ["a promise of another realm", runInNewContext("Promise.resolve(21)") as Promise<number>],
])("waits for %s", async (_, later) => {
  expect(await andThen(later, double)).toBe(42)
})

test("passes a failure on", async () => {
  await expect(andThen(Promise.reject<number>(new Error("store")), double)).rejects.toThrow("store")
})
