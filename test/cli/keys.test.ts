import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import type { StoredKey } from "../../src/key-ring.ts"
import {
  expectJsonRefusal,
  expectRefusal,
  type Finished,
  installProgram,
  jsonOf,
  type Program,
} from "./sealwire.ts"

let program: Program
const env = { SEALWIRE_PASSPHRASE: "correct horse" }
const run = (args: string, environment: Record<string, string> = env): Promise<Finished> =>
  program.run(args.split(" "), { env: environment })
const file = (name: string): string => join(program.folder, name)
const keysOf = async (folder: string): Promise<StoredKey[]> =>
  jsonOf(await run(`keys list ${folder} --json`, {}))["keys"] as StoredKey[]

beforeAll(async () => {
  program = await installProgram()
  writeFileSync(file("wrapping.key"), randomBytes(32))
  await run("keys create ring --rotate-every 1000000")
}, 60_000)
afterAll(() => {
  program.remove()
})

describe("sealwire keys", () => {
  test("makes a ring for its owner only, once, and lists it without a passphrase", async () => {
    expect(statSync(file("ring")).mode & 0o777).toBe(0o700)
    const { stdout, code } = await run("keys list ring", {})
    expect(code).toBe(0)
    expect(stdout.toString()).toMatch(
      /^[\w-]{43} {2}active {3}since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ; never used\nnot verified: .*\n$/,
    )
    expect((await run("keys list ring")).stdout.toString()).not.toContain("verified")
    expect(jsonOf(await run("keys list ring --json"))).toMatchObject({ authenticity: "verified" })
    expectRefusal(await run("keys list ring", { SEALWIRE_PASSPHRASE: "wrong" }), "ERR_KEY")
    expectRefusal(await run("keys create ring"), "ERR_EXISTS")
    expectRefusal(await run("keys create other", {}), "ERR_PASSPHRASE")
    expectRefusal(await run("keys list nowhere"), "ERR_STORE")
    expect(readdirSync(program.folder)).not.toContain("nowhere")
  })

  test("rotates by the terms of the ring, once, and not under another passphrase", async () => {
    await run("keys create turning")
    expectRefusal(await run("keys rotate turning", { SEALWIRE_PASSPHRASE: "wrong" }), "ERR_KEY")
    expect(await keysOf("turning")).toHaveLength(1)
    const planned = jsonOf(await run("keys rotate turning --json")) as { kid: string; activeFromMs: number }
    const [first, second] = await keysOf("turning")
    expect(second).toMatchObject({ kid: planned.kid, state: "pending", activeFromMs: planned.activeFromMs })
    expect(first).toMatchObject({ state: "active", retiredFromMs: planned.activeFromMs })
    expect(planned.activeFromMs - (second?.createdAtMs ?? 0)).toBeGreaterThanOrEqual(600_000)
    expectJsonRefusal(await run("keys rotate turning --urgent --json"), "ERR_RING")
  })

  test("retires and destroys nothing that clients or messages need", async () => {
    const [key] = await keysOf("ring")
    const start = key?.kid.slice(0, 8) ?? ""
    const { stderr } = await run(`keys retire ring ${start}`)
    expect(stderr).toContain("rotate instead")
    expectRefusal(await run(`keys retire ring ${start}`), "ERR_RING")
    expectRefusal(await run(`keys destroy ring ${start} --dangerously-lose-messages`), "ERR_RING")
    expectRefusal(await run("keys destroy ring nobody"), "ERR_RING")
    expect(await keysOf("ring")).toEqual([key])
  })

  test.each(["retire", "destroy", "hold"])("%s takes an id that begins as an option does", async (name) => {
    expectRefusal(await run(`keys ${name} ring -nSH5tTAqTKrj`), "ERR_RING")
    expectRefusal(await run(`keys ${name} ring -VSH5tTAqTKrj`), "ERR_RING")
    expectRefusal(await run(`keys ${name} ring y7TN`, {}), "ERR_PASSPHRASE")
    expectRefusal(await run(`keys ${name} ring y7TN --quietly`, {}), "ERR_USAGE", 2)
  })

  test("imports a key, retires it, and destroys it when that is said", async () => {
    await run("keys create imports")
    await run("keygen --bits 2048 bob")
    const { kid } = jsonOf(await run("keys import imports bob.private.pem --retired --json")) as {
      kid: string
    }
    expectRefusal(await run("keys import imports bob.private.pem"), "ERR_RING")
    const retired = (await keysOf("imports")).find((key) => key.kid === kid)
    expect(retired?.retiredFromMs).toBeGreaterThan(Date.now())
    expectRefusal(await run(`keys destroy imports ${kid}`), "ERR_RING")
    await run(`keys hold imports ${kid} --for files`)
    expect((await keysOf("imports"))[1]?.heldFor).toBe("files")
    expect((await run("keys list imports")).stdout.toString()).toContain("; held for files\n")
    await run(`keys hold imports ${kid}`)
    expect((await keysOf("imports"))[1]?.heldFor).toBeUndefined()
  })

  test("backs a ring up, and restores it under another protection", async () => {
    writeFileSync(file("safe"), "in the safe\n")
    await run("keys backup ring --backup-passphrase-file safe -o ring.backup")
    expect(statSync(file("ring.backup")).mode & 0o777).toBe(0o600)
    expectRefusal(await run("keys backup ring -o ring.backup"), "ERR_EXISTS")
    const restore = "keys restore again ring.backup --wrapping-key-file wrapping.key"
    expectRefusal(await run(restore), "ERR_KEY")
    expect(readdirSync(program.folder)).not.toContain("again")
    const { code } = await run(`${restore} --backup-passphrase-file safe`, {})
    expect(code).toBe(0)
    expect(await keysOf("again")).toEqual(await keysOf("ring"))
    expectRefusal(await run(`${restore} --backup-passphrase-file safe`, {}), "ERR_STORE")
    expect((await run("keys rotate again --wrapping-key-file wrapping.key", {})).code).toBe(0)
    expect(readFileSync(file("again/ring.2"), "utf8")).not.toContain("PRIVATE KEY")
    writeFileSync(file("short.key"), "short")
    expectRefusal(await run("keys rotate again --wrapping-key-file short.key", {}), "ERR_KEY")
  })

  test("says what it can do", async () => {
    const { stdout } = await run("keys --help")
    for (const name of [
      "create",
      "list",
      "rotate",
      "retire",
      "destroy",
      "hold",
      "import",
      "backup",
      "restore",
    ]) {
      expect(stdout.toString()).toMatch(new RegExp(`^ {2}${name} `, "m"))
    }
    expectRefusal(await run("keys create odd --rotate-every often"), "ERR_USAGE", 2)
    expectRefusal(await run("keys create odd --max-age 0"), "ERR_RING")
  })
})
