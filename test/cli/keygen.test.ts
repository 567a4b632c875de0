import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { hasOpenssl, openssl } from "../support/openssl.ts"
import {
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
  await run("keygen --bits 2048 bob")
  await run("keygen --signing alice")
}, 30_000)

afterAll(() => {
  program.remove()
})

describe("sealwire keygen", () => {
  test("makes a private file that only its owner can read, and a public one", () => {
    expect(statSync(file("bob.private.pem")).mode & 0o777).toBe(0o600)
    expect(statSync(file("alice.signing.pem")).mode & 0o777).toBe(0o600)
    expect(readFileSync(file("bob.public.pem"), "utf8")).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
    expect(readFileSync(file("alice.verifying.pem"), "utf8")).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
  })

  test("overwrites nothing, and leaves no half of a pair behind", async () => {
    const before = readFileSync(file("bob.private.pem"), "utf8")
    expectRefusal(await run("keygen --bits 2048 bob"), "ERR_EXISTS")
    expect(readFileSync(file("bob.private.pem"), "utf8")).toBe(before)
    writeFileSync(file("carol.public.pem"), "mine")
    expectRefusal(await run("keygen --bits 2048 carol"), "ERR_EXISTS")
    expect(readdirSync(program.folder).filter((name) => name.startsWith("carol"))).toEqual([
      "carol.public.pem",
    ])
  })

  test("writes JWK files that seal and open, and reports as JSON", async () => {
    const made = jsonOf(await run("keygen --bits 2048 --format jwk --json dora"))
    expect(made).toEqual({
      kid: expect.stringMatching(/^[\w-]{43}$/) as unknown,
      secretFile: "dora.private.jwk",
      publicFile: "dora.public.jwk",
      protected: false,
    })
    const { stdout } = await run("seal --to dora.public.jwk", { input: "to Dora" })
    expect((await run("open --key dora.private.jwk", { input: stdout })).stdout.toString()).toBe("to Dora")
  })

  test("protects a private key with the passphrase of a file, and commands ask for it", async () => {
    writeFileSync(file("passphrase"), "zwölf Boxkämpfer\r\nsecond line")
    const made = await run("keygen --bits 2048 --passphrase-file passphrase erin")
    expect(made.stdout.toString()).toContain("erin.private.pem  keep it secret; it needs its passphrase\n")
    expect(readFileSync(file("erin.private.pem"), "utf8")).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
    const { stdout: input } = await run("seal --to erin.public.pem", { input: "to Erin" })
    expectRefusal(await run("open --key erin.private.pem", { input }), "ERR_PASSPHRASE")
    const env = { SEALWIRE_PASSPHRASE: "wrong" }
    expectRefusal(await run("open --key erin.private.pem", { input, env }), "ERR_KEY")
    const opened = await run("open --key erin.private.pem --passphrase-file passphrase", { input })
    expect(opened.stdout.toString()).toBe("to Erin")
  })

  test("takes a passphrase from the environment for signing keys too", async () => {
    const env = { SEALWIRE_PASSPHRASE: "correct horse" }
    await run("keygen --algorithm ES256 frank", { env })
    const sealing = "seal --to bob.public.pem --sign-with frank.signing.pem"
    const { stdout: input } = await run(sealing, { input: "by Frank", env })
    const opened = await run("open --key bob.private.pem --signed-by frank.verifying.pem", { input })
    expect(opened.stdout.toString()).toBe("by Frank")
  })

  test("refuses an empty passphrase, and a JWK under one", async () => {
    const empty = { env: { SEALWIRE_PASSPHRASE: "" } }
    expectRefusal(await run("keygen gus", empty), "ERR_PASSPHRASE")
    const some = { env: { SEALWIRE_PASSPHRASE: "some" } }
    expectRefusal(await run("keygen gus --format jwk", some), "ERR_USAGE", 2)
    expectRefusal(await run("keygen gus --protect"), "ERR_PASSPHRASE")
    expect(readdirSync(program.folder).filter((name) => name.startsWith("gus"))).toEqual([])
  })

  test.runIf(hasOpenssl)("makes keys that OpenSSL reads", () => {
    const text = readFileSync(file("bob.private.pem"), "utf8")
    expect(openssl(["pkey", "-text", "-noout"], text)).toMatch(/2048 bit/)
  })
})
