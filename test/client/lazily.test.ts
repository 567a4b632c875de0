import { expect, it } from "vitest"

import { lazily } from "../../src/client/lazily.ts"
import { errorOf } from "../support/reader.ts"

it("loads a part once for all who ask for it", async () => {
  let loads = 0
  const part = lazily(async () => ++loads)
  expect(await Promise.all([part(), part()])).toEqual([1, 1])
  expect(await part()).toBe(1)
})

it("says that a part did not come, and loads it again for who asks then", async () => {
  const cause = new TypeError("Failed to fetch dynamically imported module")
  let loads = 0
  const part = lazily(async () => {
    if (++loads === 1) throw cause
    return loads
  })
  expect(await errorOf(Promise.all([part(), part()]))).toMatchObject({ code: "ERR_NETWORK", cause })
  expect(await part()).toBe(2)
})
