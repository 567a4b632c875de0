import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { sealTo } from "../../src/envelope/seal.ts"
import { exportPem, importPrivateKey } from "../../src/keys.ts"
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

const recipient = await importPrivateKey(knownAnswers.recipient, { extractable: true })

/** An envelope to `reader.pem` that is as old as asked for. */
async function sealAged(ageSeconds: number, context = ""): Promise<string> {
  const fresh = {
    seed: crypto.getRandomValues(new Uint8Array(32)),
    contentKey: crypto.getRandomValues(new Uint8Array(32)),
    iv: crypto.getRandomValues(new Uint8Array(12)),
    issuedAtSeconds: Math.floor(Date.now() / 1000) - ageSeconds,
  }
  return (await sealTo("hello", { to: recipient.publicKey, context }, fresh)).envelope
}

beforeAll(async () => {
  program = await installProgram()
  writeFileSync(file("reader.pem"), await exportPem(recipient))
  writeFileSync(file("reader.jwk"), JSON.stringify(knownAnswers.recipient))
  await run("keygen --bits 2048 bob")
  await run("keygen --signing alice")
}, 30_000)

afterAll(() => {
  program.remove()
})

describe("sealwire seal and open", () => {
  test("hand on the message once, and refuse its copy", async () => {
    writeFileSync(file("letter.txt"), "Dear Bob")
    const sealed = await run("seal --to bob.public.pem --context letters letter.txt -o letter.sealed")
    expect(sealed).toMatchObject({ code: 0, stderr: "" })
    const opening = "open --key bob.private.pem --context letters letter.sealed"
    const opened = await run(opening)
    expect(opened).toMatchObject({ code: 0, stderr: "" })
    expect(opened.stdout.toString()).toBe("Dear Bob")
    expectRefusal(await run(opening), "ERR_REPLAYED")
  })

  test("carry any bytes through pipes", async () => {
    const input = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) % 256)
    const sealed = await run("seal --to bob.public.pem -", { input })
    const opened = await run("open --key bob.private.pem -", { input: sealed.stdout })
    expect(opened.stdout.equals(input)).toBe(true)
  })

  test("carry an empty message", async () => {
    const { stdout: input } = await run("seal --to bob.public.pem")
    expect(await run("open --key bob.private.pem", { input })).toMatchObject({ code: 0, stderr: "" })
  })

  test("prove who sealed", async () => {
    const sealing = "seal --to bob.public.pem --sign-with alice.signing.pem"
    const { stdout: input } = await run(sealing, { input: "by Alice" })
    await run("keygen --signing mallory")
    const open = "open --key bob.private.pem --json"
    expectJsonRefusal(await run(open, { input }), "ERR_OPEN_FAILED")
    expectJsonRefusal(await run(`${open} --signed-by mallory.verifying.pem`, { input }), "ERR_OPEN_FAILED")
    const both = `${open} --signed-by mallory.verifying.pem --signed-by alice.verifying.pem`
    const report = jsonOf(await run(both, { input }))
    expect(report["signer"]).toMatch(/^[\w-]{43}$/)
    const unsigned = await run("seal --to bob.public.pem", { input: "by whom?" })
    expectJsonRefusal(await run(both, { input: unsigned.stdout }), "ERR_OPEN_FAILED")
  })

  test("report as JSON", async () => {
    const sealed = jsonOf(await run("seal --to bob.public.pem --json", { input: "Zoë" }))
    const opened = jsonOf(
      await run("open --key bob.private.pem --json", { input: String(sealed["envelope"]) }),
    )
    expect(opened).toEqual({
      id: expect.stringMatching(/^[\w-]{22}$/) as unknown,
      issuedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown,
      kid: sealed["kid"],
      signer: null,
      sha256: createHash("sha256").update("Zoë").digest("hex"),
      bytes: 4,
      messageBase64: Buffer.from("Zoë").toString("base64"),
    })
  })

  test("report files as JSON", async () => {
    const sealed = await run("seal --to bob.public.pem --json -o report.sealed", { input: "Zoë" })
    expect(jsonOf(sealed)).toMatchObject({ output: "report.sealed" })
    const opened = await run("open --key bob.private.pem --json -o report.txt report.sealed")
    expect(jsonOf(opened)).toMatchObject({ output: "report.txt", bytes: 4 })
    expect(jsonOf(opened)).not.toHaveProperty("messageBase64")
    expect(readFileSync(file("report.txt"), "utf8")).toBe("Zoë")
    expect(statSync(file("report.txt")).mode & 0o777).toBe(0o600)
  })

  test("refuse a private key where a public one belongs, by the file's name", async () => {
    const finished = await run("seal --to bob.private.pem", { input: "x" })
    expectRefusal(finished, "ERR_KEY")
    expect(finished.stderr).toContain("bob.private.pem: ")
  })

  test("refuse a message above 16 MiB", async () => {
    const input = new Uint8Array(16 * 1024 * 1024 + 1)
    expectRefusal(await run("seal --to bob.public.pem", { input }), "ERR_TOO_LARGE")
  })
})

describe("sealwire open", () => {
  test("refuses another key, another context, and a change", async () => {
    const input = await sealAged(0, "orders")
    const open = "open --key reader.pem --context orders"
    expectRefusal(await run("open --key bob.private.pem --context orders", { input }), "ERR_OPEN_FAILED")
    expectRefusal(await run("open --key reader.pem --context other", { input }), "ERR_OPEN_FAILED")
    const middle = input.lastIndexOf(".") - 5
    const letter = input[middle] === "A" ? "B" : "A"
    const tampered = input.slice(0, middle) + letter + input.slice(middle + 1)
    expectRefusal(await run(open, { input: tampered }), "ERR_OPEN_FAILED")
    expectRefusal(await run(open, { input: `${input}\n\n` }), "ERR_OPEN_FAILED")
    // none of that used it up
    expect(await run(open, { input })).toMatchObject({ code: 0 })
  })

  test("refuses an envelope above 120 seconds, unless --max-age says otherwise", async () => {
    const input = await sealAged(300)
    expectRefusal(await run("open --key reader.pem", { input }), "ERR_STALE")
    expectRefusal(await run("open --key reader.pem --max-age 200", { input }), "ERR_STALE")
    expect(await run("open --key reader.pem --max-age 3600", { input })).toMatchObject({ code: 0 })
    expectRefusal(await run("open --key reader.pem --max-age 7200", { input }), "ERR_REPLAYED")
  })

  test("opens one of three days where --max-age is a week", async () => {
    const input = await sealAged(3 * 86_400)
    expectRefusal(await run("open --key reader.pem", { input }), "ERR_OPEN_FAILED")
    expect(await run("open --key reader.pem --max-age 604800", { input })).toMatchObject({ code: 0 })
  })

  test("accepts any age and any number of copies with --accept-replays, and notes nothing", async () => {
    const input = await sealAged(400 * 86_400)
    const open = "open --key reader.jwk --accept-replays"
    expect(await run(open, { input })).toMatchObject({ code: 0 })
    expect(await run(open, { input })).toMatchObject({ code: 0 })
    const fresh = await sealAged(0)
    expect(await run(open, { input: fresh })).toMatchObject({ code: 0 })
    expect(await run("open --key reader.jwk", { input: fresh })).toMatchObject({ code: 0 })
  })

  test("opens one envelope once among two processes, twenty times", async () => {
    for (let round = 0; round < 20; round++) {
      const input = await sealAged(0)
      const open = (): Promise<Finished> => run("open --key reader.pem", { input })
      const [first, second] = await Promise.all([open(), open()])
      const [winner, loser] = first.code === 0 ? [first, second] : [second, first]
      expect(winner).toMatchObject({ code: 0, stderr: "" })
      expect(winner.stdout.toString()).toBe("hello")
      expectRefusal(loser, "ERR_REPLAYED")
    }
  })

  test("does not use up an envelope when its message has no place", async () => {
    const input = await sealAged(0)
    writeFileSync(file("taken"), "mine")
    expectRefusal(await run("open --key reader.pem -o taken", { input }), "ERR_EXISTS")
    expect(readFileSync(file("taken"), "utf8")).toBe("mine")
    expectRefusal(await run("open --key reader.pem -o nowhere/at/all", { input }), "ERR_FILE")
    expect(await run("open --key reader.pem -o place", { input })).toMatchObject({ code: 0 })
  })

  test("leaves no file behind when it refuses", async () => {
    expectRefusal(await run("open --key reader.pem -o nothing", { input: "junk" }), "ERR_OPEN_FAILED")
    expect(readdirSync(program.folder)).not.toContain("nothing")
  })

  test("accepts nothing when it cannot note it", async () => {
    writeFileSync(file("blocked"), "")
    const env = { XDG_STATE_HOME: file("blocked") }
    const finished = await run("open --key reader.pem", { input: await sealAged(0), env })
    expectRefusal(finished, "ERR_STORE")
    expect(finished.stderr).toContain("(ENOTDIR)")
  })
})
