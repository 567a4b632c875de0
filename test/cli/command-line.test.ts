import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { knownAnswers } from "../support/vectors.ts"
import {
  expectJsonRefusal,
  expectRefusal,
  type Finished,
  installProgram,
  jsonOf,
  type Program,
  type RunOptions,
} from "./sealwire.ts"

let program: Program
const run = (args: string, options?: RunOptions): Promise<Finished> => program.run(args.split(" "), options)
const file = (name: string): string => join(program.folder, name)

beforeAll(async () => {
  program = await installProgram()
  writeFileSync(file("reader.pem"), "")
}, 30_000)

afterAll(() => {
  program.remove()
})

describe("the command line", () => {
  test.each(["keygen", "seal", "open", "inspect", "check", "vectors"])(
    "has help with an example: %s",
    async (name) => {
      const { code, stdout, stderr } = await run(`${name} --help`)
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(stdout.toString()).toMatch(new RegExp(`Examples:\n {2}\\$ .*sealwire ${name}`))
    },
  )

  test("has an overview that states the exit codes, and a version", async () => {
    const help = await run("--help")
    expect(help.code).toBe(0)
    expect(help.stdout.toString()).toContain("Exit codes: 0 done, 1 refused or failed, 2 ")
    const { version } = JSON.parse(readFileSync(file("../package/package.json"), "utf8")) as {
      version: string
    }
    expect((await run("--version")).stdout.toString()).toBe(`${version}\n`)
  })

  test("shows the overview on stderr when it says nothing, and exits with 2", async () => {
    const { code, stdout, stderr } = await program.run([])
    expect({ code, stdout: stdout.length }).toEqual({ code: 2, stdout: 0 })
    expect(stderr).toMatch(/^Usage: sealwire /)
  })

  test.each([
    "inspect --unknown",
    "unknown",
    "seal",
    "open",
    "keygen",
    "keygen --bits 1024 weak",
    "open --key reader.pem --max-age 0",
    "open --key reader.pem --max-age 1e3",
    "open --key reader.pem --max-age 31536001",
    "open --key reader.pem --max-age 60 --accept-replays",
    "keygen --bits 4096 --signing both",
    "inspect one two",
  ])("exits with 2, and one line, for: %s", async (args) => {
    expectRefusal(await run(args), "ERR_USAGE", 2)
  })

  test("reports errors as JSON with --json", async () => {
    expectJsonRefusal(await run("inspect --unknown --json"), "ERR_USAGE", 2)
    expectJsonRefusal(await run("inspect missing --json"), "ERR_FILE")
  })

  test("says which file is missing, without control characters of its name", async () => {
    const finished = await program.run(["open", "--key", "no\u001b[31m\nfile.pem"])
    expectRefusal(finished, "ERR_FILE")
    expect(finished.stderr).toContain("no\\u{1b}[31m file.pem (ENOENT)")
  })

  test("quotes nothing of a key file that it cannot read", async () => {
    writeFileSync(file("broken.jwk"), '{"kty":"RSA","d":"s3cr3t')
    const finished = await run("open --key broken.jwk")
    expectRefusal(finished, "ERR_KEY")
    expect(finished.stderr).not.toContain("s3cr3t")
  })
})

describe("sealwire vectors", () => {
  test("opens the known answers of the package", async () => {
    const finished = await run("vectors --json")
    const cases = knownAnswers.cases.map(({ name }) => ({ name, passed: true, differences: [] }))
    expect(jsonOf(finished)).toEqual({ passed: 7, failed: 0, cases })
    expect((await run("vectors")).stdout.toString()).toMatch(/ok +rsa 3072\n7 passed, 0 failed\n$/)
  })

  test("names what differs, and exits with 1", async () => {
    const path = file("../package/vectors/known-answers.json")
    const original = readFileSync(path, "utf8")
    const [first, second, ...rest] = knownAnswers.cases
    const id = second?.id ?? ""
    const cases = [first, { ...second, envelope: first?.envelope }, { ...rest[0], id }]
    writeFileSync(path, JSON.stringify({ ...knownAnswers, cases }))
    const finished = await run("vectors")
    writeFileSync(path, original)
    const lines = finished.stdout.toString().split("\n")
    expect(lines[1]).toMatch(/^FAILED {2}ascii: /)
    expect(lines[2]).toMatch(/^FAILED {2}utf-8 json: id$/)
    expect(lines[3]).toBe("1 passed, 2 failed")
    expect(finished.stderr).toMatch(/^sealwire: ERR_VECTORS: /)
    expect(finished.code).toBe(1)
  })
})
