import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { seal } from "../../src/index.ts"
import { importPublicKey } from "../../src/keys.ts"
import { summarize } from "../../src/cli/envelope-summary.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"
import { installProgram, type Program } from "./sealwire.ts"

const answer = knownAnswers.cases[1]
if (!answer) throw new Error("the known answers have no second case")
const { envelope } = answer
const [header = "", encryptedKey = "", iv = "", ciphertext = "", tag = ""] = envelope.split(".")
const headerText = Buffer.from(header, "base64url").toString()
const withHeader = (text: string, key = encryptedKey): string =>
  [Buffer.from(text).toString("base64url"), key, iv, ciphertext, tag].join(".")

const to = await importPublicKey(publicJwk(knownAnswers.recipient))

let program: Program
beforeAll(async () => {
  program = await installProgram()
}, 30_000)
afterAll(() => {
  program.remove()
})

describe("sealwire inspect", () => {
  test("says what an envelope is, in words", async () => {
    const { code, stdout, stderr } = await program.run(["inspect"], { input: `${envelope}\n` })
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const text = stdout.toString()
    expect(text).toMatch(/^type {8}sw1, a message or request\n/)
    const time = new Date(answer.iat * 1000).toISOString().slice(0, 19)
    expect(text).toMatch(new RegExp(`\\nsealed {6}${time}Z, \\d+ days ago, by the sender's clock\\n`))
    expect(text).toContain(`\nid          ${answer.id}\n`)
    expect(text).toMatch(/ \(recipient's key, RSA-2048, by thumbprint\)\n/)
    expect(text).toContain("\nmessage     5 bytes, with the signature where there is one\n")
    expect(text).toMatch(/only opening it proves anything\.\n$/)
  })

  test("says it as JSON", async () => {
    const { stdout } = await program.run(["inspect", "--json"], { input: envelope })
    expect(JSON.parse(stdout.toString())).toEqual({
      ...summarize(envelope),
      ageSeconds: expect.any(Number) as unknown,
    })
    expect(summarize(envelope)).toEqual({
      type: "sw1",
      meaning: "a message or request",
      alg: "RSA-OAEP-256",
      kid: to.kid,
      id: answer.id,
      issuedAtSeconds: answer.iat,
      contextHash: answer.context_hash,
      contextIsEmpty: false,
      modulusBits: 2048,
      envelopeCharacters: envelope.length,
      messageAndSignatureBytes: 5,
    })
  })

  test("says how old an envelope is", async () => {
    const fresh = await seal("now", { to })
    const { stdout } = await program.run(["inspect"], { input: fresh })
    expect(stdout.toString()).toMatch(/, \d seconds? ago, /)
    const ahead = withHeader(headerText.replace(/"iat":\d+/, `"iat":${Math.floor(Date.now() / 1000) + 7300}`))
    const other = await program.run(["inspect"], { input: ahead })
    expect(other.stdout.toString()).toMatch(/, 2 hours in the future, /)
  })

  test("knows the empty context", async () => {
    expect(summarize(await seal("x", { to })).contextIsEmpty).toBe(true)
    expect(summarize(await seal("x", { to, context: "y" })).contextIsEmpty).toBe(false)
  })

  test("refuses what is not an envelope, in one line", async () => {
    const { code, stdout, stderr } = await program.run(["inspect"], { input: "\u001b[2Jhello" })
    expect({ code, stdout: stdout.length }).toEqual({ code: 1, stdout: 0 })
    expect(stderr).toBe(
      "sealwire: ERR_FORMAT: not an envelope: it must have five segments between four dots\n",
    )
  })
})

describe("a summary of an envelope", () => {
  const typed = (type: string, alg: string, kid?: string): string => {
    const text = headerText.replace('"sw1"', `"${type}"`).replace("RSA-OAEP-256", alg)
    return withHeader(
      kid === undefined ? text : text.replace(/"kid":"[^"]+"/, `"kid":"${kid}"`),
      alg === "dir" ? "" : encryptedKey,
    )
  }

  test.each([
    ["sw1-open", "RSA-OAEP-256", undefined],
    ["sw1-session", "dir", "AAECAwQFBgcICQoLDA0ODw"],
    ["sw1-reply", "dir", undefined],
    ["sw1-channel", "dir", "AAECAwQFBgcICQoLDA0ODw"],
    ["sw1-stream", "RSA-OAEP-256", undefined],
  ])("knows the type %s", (type, alg, kid) => {
    expect(summarize(typed(type, alg, kid))).toMatchObject({
      type,
      alg,
      kid: kid ?? to.kid,
      modulusBits: alg === "dir" ? undefined : 2048,
    })
  })

  test.each([
    ["an unknown type", typed("sw1-other", "dir")],
    ["a type of Object.prototype", typed("constructor", "dir")],
    ["an algorithm of another type", typed("sw1-session", "RSA-OAEP-256")],
    ["a header that is not base64url", envelope.replace(/^./, "*")],
    ["a member twice", withHeader(headerText.replace('"enc"', '"ctx":"x","enc"'))],
    ["a line break in a member", withHeader(headerText.replace('"sw1"', '"sw1\\n"'))],
    ["an encrypted key of no known size", withHeader(headerText, "AAAA")],
    ["a short IV", [header, encryptedKey, "AAAA", ciphertext, tag].join(".")],
    ["a short tag", [header, encryptedKey, iv, ciphertext, "AAAA"].join(".")],
    ["a short ciphertext", [header, encryptedKey, iv, "AAAA", tag].join(".")],
    ["three dots", [header, encryptedKey, iv, ciphertext].join(".")],
    ["five dots", `${envelope}.`],
    ["a million dots", ".".repeat(1_000_000)],
    ["nothing", ""],
  ])("refuses %s", (_, text) => {
    expect(() => summarize(text)).toThrow(expect.objectContaining({ code: "ERR_FORMAT" }))
  })
})
