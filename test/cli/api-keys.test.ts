import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { type ApiKeyRecord, createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { BRINGS_SQLITE } from "../support/sqlite-clients.ts"
import {
  expectJsonRefusal,
  expectRefusal,
  type Finished,
  installProgram,
  jsonOf,
  type Program,
} from "./sealwire.ts"

let program: Program
const run = (args: string): Promise<Finished> => program.run(["api-keys", ...args.split(" ")])
const file = (name: string): string => join(program.folder, name)
const recordsIn = (name: string): ApiKeyRecord[] =>
  JSON.parse(readFileSync(file(name), "utf8")) as ApiKeyRecord[]
const create = async (store: string, more = ""): Promise<{ key: string; id: string }> =>
  jsonOf(await run(`create --store ${store} --principal acme --json${more}`)) as { key: string; id: string }

beforeAll(async () => {
  program = await installProgram()
}, 30_000)
afterAll(() => {
  program.remove()
})

describe("sealwire api-keys", () => {
  test("prints a key once, and keeps what a server can check it with", async () => {
    const made = await run("create --store a.json --principal acme --scope a --scope b --expires-in 60")
    expect(made.stderr).toBe("")
    const [key = "", note] = made.stdout.toString().split("\n")
    const text = readFileSync(file("a.json"), "utf8")
    expect(text).not.toContain(key.slice(-32))
    expect(statSync(file("a.json")).mode & 0o777).toBe(0o600)
    const apiKeys = createApiKeys({ store: memoryApiKeyStore({ records: recordsIn("a.json") }) })
    const verdict = await apiKeys.verify(key)
    expect(verdict).toMatchObject({ valid: true, principal: "acme", scopes: ["a", "b"] })
    expect(note).toContain(verdict.id)
    expect((recordsIn("a.json")[0]?.endsAtMs ?? 0) - Date.now()).toBeLessThanOrEqual(60_000)
    const listed = await run("list --store a.json")
    expect(listed.stdout.toString()).toMatch(
      /^[a-z2-7]{16} {2}active {2}acme {2}a b {2}ends 2.* {2}last used never\n$/,
    )
    expect(listed.stdout.toString()).not.toContain(key.slice(-32))
  })

  test("lists what was made, replaced and revoked", async () => {
    const [first, second] = [await create("b.json"), await create("b.json", " --scope x")]
    await run("create --store b.json --principal globex")
    expect((await run(`revoke --store b.json ${first.id}`)).stdout.toString()).toBe(`revoked ${first.id}\n`)
    const third = jsonOf(await run(`rotate --store b.json --overlap 60 --json ${second.id}`))
    expect(third).toMatchObject({ principal: "acme", scopes: ["x"], endsAt: null })
    const listed = jsonOf(await run("list --store b.json --principal acme --json")) as unknown as object[]
    expect(listed).toEqual([
      expect.objectContaining({ id: first.id, state: "revoked", endsAt: null }),
      expect.objectContaining({ id: second.id, state: "active", endsAt: expect.any(String) as string }),
      expect.objectContaining({ id: third["id"], state: "active", endsAt: null }),
    ])
  })

  test("makes keys under a prefix and a pepper", async () => {
    writeFileSync(file("pepper"), Buffer.alloc(32, 5))
    const { key } = await create("c.json", " --prefix acme --pepper-file pepper")
    const store = memoryApiKeyStore({ records: recordsIn("c.json") })
    const apiKeys = createApiKeys({ store, prefix: "acme", pepper: new Uint8Array(32).fill(5) })
    expect(await apiKeys.verify(key)).toMatchObject({ valid: true })
    writeFileSync(file("short"), "12345")
    expectRefusal(await run("create --store c.json --principal a --pepper-file short"), "ERR_USAGE", 2)
  })

  test("loses none of the changes that come at once", async () => {
    const { id } = await create("d.json")
    const results = await Promise.all([
      run(`revoke --store d.json ${id}`),
      run("create --store d.json --principal a"),
      run("create --store d.json --principal b"),
    ])
    const done = results.filter(({ code }) => code === 0)
    for (const result of results) if (result.code !== 0) expectRefusal(result, "ERR_EXISTS")
    const records = recordsIn("d.json")
    const revoked = records.filter(({ endsAtMs }) => endsAtMs === 0).length
    expect(records.length - 1 + revoked).toBe(done.length)
    expect(existsSync(file("d.json.lock"))).toBe(false)
  })

  test("says what is wrong, and changes nothing", async () => {
    const { id } = await create("e.json")
    const before = readFileSync(file("e.json"), "utf8")
    const nobody = "a".repeat(16)
    expectRefusal(await run(`revoke --store e.json ${nobody}`), "ERR_NOT_FOUND")
    expectRefusal(await run(`rotate --store e.json ${nobody}`), "ERR_NOT_FOUND")
    expectJsonRefusal(await run(`rotate --store e.json --json ../${id}`), "ERR_NOT_FOUND")
    expectRefusal(await run(`rotate --store e.json --overlap x ${id}`), "ERR_USAGE", 2)
    expectRefusal(
      await program.run(["api-keys", "create", "--store", "e.json", "--principal", "a b"]),
      "ERR_USAGE",
      2,
    )
    expectRefusal(await run("create --store e.json"), "ERR_USAGE", 2)
    expect(readFileSync(file("e.json"), "utf8")).toBe(before)
    expectRefusal(await run("list --store nowhere.json"), "ERR_FILE")
    expectRefusal(await run("list --store nowhere.db"), "ERR_FILE")
    expect(existsSync(file("nowhere.db"))).toBe(false)
    writeFileSync(file("f.json"), "[")
    expectRefusal(await run("list --store f.json"), "ERR_FILE")
    writeFileSync(file("f.json"), "[{}]")
    expectRefusal(await run("create --store f.json --principal a"), "ERR_FILE")
    writeFileSync(file("e.json.lock"), "")
    expectRefusal(await run(`revoke --store e.json ${id}`), "ERR_EXISTS")
  })

  test("shows no control character of a file that others wrote", async () => {
    const { id } = await create("g.json")
    writeFileSync(file("g.json"), readFileSync(file("g.json"), "utf8").replace("acme", "\\u001b[2Jx\\ny"))
    const { stdout } = await run("list --store g.json")
    expect(stdout.toString().split("\n")).toHaveLength(2)
    expect(stdout.toString()).toContain(`${id}  active  \\u{1b}[2Jx\\u{a}y`)
  })

  test("keeps keys in a SQLite file, where Node has SQLite", async () => {
    if (!BRINGS_SQLITE) {
      expectRefusal(await run("create --store keys.db --principal acme"), "ERR_UNSUPPORTED")
      return
    }
    const { key, id } = await create("keys.db")
    expect(readFileSync(file("keys.db")).includes(key.slice(-32))).toBe(false)
    await run(`revoke --store keys.db ${id}`)
    const listed = jsonOf(await run("list --store keys.db --json")) as unknown as object[]
    expect(listed).toEqual([expect.objectContaining({ id, state: "revoked" })])
  })
})
