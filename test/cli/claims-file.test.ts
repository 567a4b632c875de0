import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { claimsFile } from "../../src/cli/claims-file.ts"

const idOf = (n: number): string => String(n).padStart(43, "A")

let folder = ""
let path = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sealwire-claims-"))
  path = join(folder, "state/sealwire/claims")
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

describe("a claims file", () => {
  test("takes an id once, also for another store over the same file", async () => {
    expect(await claimsFile(path).claim(idOf(1), 1000)).toBe(true)
    expect(await claimsFile(path).claim(idOf(1), 1000)).toBe(false)
    expect(await claimsFile(path).claim(idOf(2), 1000)).toBe(true)
  })

  test("remembers an id after its expiry, because the next reader may accept older messages", async () => {
    const store = claimsFile(path)
    expect(await store.claim(idOf(1), Date.now() - 86_400_000)).toBe(true)
    expect(await store.claim(idOf(1), Date.now() + 86_400_000)).toBe(false)
  })

  test("gives one winner for each id among many at once", async () => {
    const ids = Array.from({ length: 8 }, (_, n) => idOf(n))
    const claims = ids.flatMap((id) =>
      Array.from({ length: 8 }, async () => ({ id, won: await claimsFile(path).claim(id, 1) })),
    )
    const winners = (await Promise.all(claims)).filter(({ won }) => won).map(({ id }) => id)
    expect(winners.sort()).toEqual(ids)
  })

  test("can be read and written by its owner only", async () => {
    await claimsFile(path).claim(idOf(1), 1)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700)
  })

  test("goes on after a line that was cut short, and does not take that id again", async () => {
    const store = claimsFile(path)
    await store.claim(idOf(1), 1)
    truncateSync(path, statSync(path).size - 30)
    expect(await store.claim(idOf(2), 1)).toBe(true)
    expect(await store.claim(idOf(2), 1)).toBe(false)
    expect(await store.claim(idOf(1), 1)).toBe(false)
  })

  test("does not take a part of an id, or a nonce, for an id", async () => {
    const store = claimsFile(path)
    await store.claim(idOf(1), 1)
    appendFileSync(path, ` ${idOf(2)} x${idOf(3)} `)
    expect(await store.claim(idOf(2), 1)).toBe(true)
    expect(await store.claim(idOf(3), 1)).toBe(true)
    expect(await store.claim(idOf(1).slice(1), 1)).toBe(true)
  })

  test("adds one line for each claim and changes none", async () => {
    const store = claimsFile(path)
    await store.claim(idOf(1), 1_767_225_600_000)
    const before = readFileSync(path, "utf8")
    await store.claim(idOf(2), 1_767_225_600_000)
    const after = readFileSync(path, "utf8")
    expect(after.startsWith(before)).toBe(true)
    expect(after.length - before.length).toBe(95)
  })

  test("throws when the file cannot be written", async () => {
    writeFileSync(join(folder, "state"), "a file where the folder should be")
    await expect(claimsFile(path).claim(idOf(1), 1)).rejects.toThrow()
  })
})
