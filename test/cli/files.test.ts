import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { formatBytes, progressLine, showProgress } from "../../src/cli/progress.ts"
import { plaintextOf } from "../support/pieces.ts"
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
// above what a message may be
const large = plaintextOf(20_000_000)

beforeAll(async () => {
  program = await installProgram()
  await run("keygen --bits 2048 bob")
  await run("keygen --signing alice")
  writeFileSync(file("large"), large)
}, 30_000)

afterAll(() => {
  program.remove()
})

describe("sealwire seal --file and open --file", () => {
  test("carry a file above 16 MiB, as often as one likes, and say nothing where no terminal is", async () => {
    const sealed = await run("seal --file --to bob.public.pem --context backup large -o large.sealed")
    expect(sealed).toMatchObject({ code: 0, stderr: "" })
    for (const name of ["one", "two"]) {
      const opened = await run(`open --file --key bob.private.pem --context backup large.sealed -o ${name}`)
      expect(opened).toMatchObject({ code: 0, stderr: "" })
      expect(readFileSync(file(name)).equals(large)).toBe(true)
      expect(statSync(file(name)).mode & 0o777).toBe(0o600)
    }
  })

  test("carry a folder through pipes of tar", async () => {
    mkdirSync(file("photos"))
    writeFileSync(file("photos/a"), "cat")
    const input = execFileSync("tar", ["c", "-C", program.folder, "photos"])
    const { stdout: sealed } = await run("seal --file --to bob.public.pem", { input })
    const { stdout } = await run("open --file --key bob.private.pem -", { input: sealed })
    mkdirSync(file("out"))
    execFileSync("tar", ["x", "-C", file("out")], { input: stdout })
    expect(readFileSync(file("out/photos/a"), "utf8")).toBe("cat")
  })

  test("report as JSON, with signer and metadata", async () => {
    writeFileSync(file("note"), "Zoë")
    const sealing = ["seal", "--file", "--to", "bob.public.pem", "--sign-with", "alice.signing.pem", "--json"]
    const sealed = await program.run([
      ...sealing,
      "--metadata",
      '{"name":"n o t e"}',
      "note",
      "-o",
      "note.sealed",
    ])
    expect(jsonOf(sealed)).toMatchObject({ output: "note.sealed", bytes: statSync(file("note.sealed")).size })
    const open = "open --file --key bob.private.pem --json note.sealed -o note.opened"
    expectJsonRefusal(await run(open), "ERR_OPEN_FAILED")
    const opened = jsonOf(await run(`${open} --signed-by alice.verifying.pem`))
    expect(opened).toMatchObject({ bytes: 4, metadata: { name: "n o t e" }, output: "note.opened" })
    expect(opened["signer"]).toMatch(/^[\w-]{43}$/)
  })

  test("leave nothing when they refuse, and overwrite nothing", async () => {
    await run("seal --file --to bob.public.pem large -o cut")
    writeFileSync(file("cut"), readFileSync(file("cut")).subarray(0, -1))
    const before = readdirSync(program.folder)
    expectRefusal(await run("open --file --key bob.private.pem cut -o uncut"), "ERR_OPEN_FAILED")
    expectRefusal(await run("open --file --key bob.private.pem cut -o large"), "ERR_EXISTS")
    expectRefusal(await run("open --file --key bob.private.pem nowhere -o uncut"), "ERR_FILE")
    expectRefusal(await run("open --file --key bob.private.pem cut -o no/where"), "ERR_FILE")
    expect(readdirSync(program.folder)).toEqual(before)
    expect(statSync(file("large")).size).toBe(large.length)
  })

  test("fail when only the end is missing, though standard output has the beginning", async () => {
    const { stdout } = await run("seal --file --to bob.public.pem large")
    const opened = await run("open --file --key bob.private.pem", { input: stdout.subarray(0, -1) })
    expect(opened.code).toBe(1)
    expect(opened.stderr).toMatch(/^sealwire: ERR_OPEN_FAILED: the sealed stream was altered or cut short/)
    expect(large.subarray(0, opened.stdout.length).every((byte, i) => byte === opened.stdout[i])).toBe(true)
  })

  test("tell a file from a message", async () => {
    await run("seal --file --to bob.public.pem note -o file.sealed")
    expectRefusal(await run("open --key bob.private.pem file.sealed"), "ERR_FORMAT")
    await run("seal --to bob.public.pem note -o message.sealed")
    expectRefusal(await run("open --file --key bob.private.pem message.sealed"), "ERR_OPEN_FAILED")
    const finished = await run("seal --to bob.public.pem large")
    expectRefusal(finished, "ERR_TOO_LARGE")
    expect(finished.stderr).toContain("--file")
  })

  test.each([
    "seal --file --to bob.public.pem note --json",
    "open --file --key bob.private.pem file.sealed --json",
    "open --file --max-age 5 --key bob.private.pem file.sealed",
    "open --file --accept-replays --key bob.private.pem file.sealed",
    "seal --to bob.public.pem --metadata {} note",
    "seal --file --to bob.public.pem --metadata {a note",
  ])("make no sense of: %s", async (args) => {
    const finished = await run(args)
    expect(finished.code).toBe(2)
    expect(finished.stderr).toContain("ERR_USAGE")
    expect(finished.stdout).toHaveLength(0)
  })
})

describe("progress", () => {
  test("counts bytes in three digits and a unit", () => {
    const shown = [0, 999, 1000, 99_949, 99_950, 999_500, 5_368_709_120, 2e18].map(formatBytes)
    expect(shown).toEqual(["0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "1.0 MB", "5.4 GB", "2000 PB"])
  })

  test("shows a bar where the total is known, and the rate", () => {
    expect(progressLine(250e6, 1e9, 500)).toBe("[######..................] 25%  250 MB of 1.0 GB  500 MB/s")
    expect(progressLine(0, 0, 0)).toBe("[########################] 100%  0 B of 0 B  0 B/s")
    expect(progressLine(3e6, undefined, 1500)).toBe("3.0 MB  2.0 MB/s")
  })

  test("writes to a terminal only, a few times a second, and takes the line away after a failure", () => {
    const written: string[] = []
    const terminal = { isTTY: true, write: (text: string) => written.push(text) }
    let nowMs = 0
    const progress = showProgress(100, terminal, () => nowMs)
    for (; nowMs < 1000; nowMs += 10) progress.update(nowMs / 10)
    expect(written.length).toBe(4)
    progress.end(false)
    expect(written.at(-1)).toBe("\r\u001b[2K")
    const silent = showProgress(100, { write: (text) => written.push(text) }, () => 1e6)
    silent.update(5)
    silent.end(true)
    expect(written.length).toBe(5)
  })
})

test("an interrupt leaves nothing behind", async () => {
  const main = program.folder.replace(/work$/, "package/dist/cli/main.js")
  const child = spawn(process.execPath, [main, "seal", "--file", "--to", "bob.public.pem", "-o", "endless"], {
    cwd: program.folder,
    stdio: ["pipe", "ignore", "pipe"],
  })
  const stderr: Buffer[] = []
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on("error", () => undefined)
  child.stdin.write(large)
  while (!readdirSync(program.folder).some((name) => name.endsWith(".tmp"))) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  child.kill("SIGINT")
  const [code] = (await once(child, "exit")) as [number]
  expect(Buffer.concat(stderr).toString()).toMatch(/^sealwire: ERR_ABORTED: /)
  expect(code).toBe(1)
  expect(readdirSync(program.folder).filter((name) => name.endsWith(".tmp") || name === "endless")).toEqual(
    [],
  )
})
