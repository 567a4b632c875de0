import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"

import { Command } from "commander"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"

import { addCheck } from "../../src/cli/commands/check.ts"
import { listen } from "../adapters/kinds.ts"
import { hasOpenssl } from "../support/openssl.ts"
import { deploy, type Deployment, LIMIT } from "./check/deployment.ts"
import { expectJsonRefusal, expectRefusal, installProgram, jsonOf, type Program } from "./sealwire.ts"

let program: Program
beforeAll(async () => {
  program = await installProgram()
}, 30_000)
afterAll(() => {
  program.remove()
})

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) ?? ""

describe.skipIf(!hasOpenssl)("sealwire check", () => {
  let good: Deployment
  let whole: string[]
  beforeAll(async () => {
    // each run counts against one window
    good = await deploy({ endpoint: { limits: { bySource: { medium: 3 * LIMIT } } } })
    writeFileSync(join(program.folder, "ca.pem"), good.ca)
    whole = ["check", good.url, "--route", "/account", "--pin", good.pin, "--ca", "ca.pem"]
  })
  afterAll(() => good.close())

  it("exits with 3 where nothing is red, and something was not tested", async () => {
    const { code, stdout, stderr } = await program.run(whole)
    expect(stderr).toMatch(/^To https:\/\/127\.0\.0\.1:\d+, at most 22 requests and handshakes:\n/)
    expect(lastLine(stderr)).toBe("sealwire: ERR_CHECK_INCOMPLETE: nothing failed; not tested: limit")
    expect(stdout.toString()).toMatch(/\n26 passed, 0 failed, 1 not tested\n$/)
    expect(code).toBe(3)
  })

  it("exits with 1 where a row is red, and names it", async () => {
    const { code, stdout, stderr } = await program.run([...whole, "--pin", "A".repeat(43)])
    expect(lastLine(stderr)).toBe("sealwire: ERR_CHECK: failed: pin")
    expect(stdout.toString()).toMatch(/\nFAIL {8}pin {15}.*\n +→ signed by .{43}\n +do: find out whose key/)
    expect(code).toBe(1)
  })

  it("exits with 0 only where all is green, and says it as JSON", async () => {
    const deployment = await deploy()
    try {
      const options = ["--route", "/account", "--limit", String(LIMIT), "--ca", "ca.pem", "--json"]
      const finished = await program.run(["check", deployment.url, "--pin", deployment.pin, ...options])
      expect(lastLine(finished.stderr)).toContain("limit             GET /account, not sealed")
      const { plan, rows, requests, ...more } = jsonOf(finished)
      expect(more).toEqual({
        url: deployment.url,
        route: "GET /account",
        passed: 27,
        failed: 0,
        notTested: 0,
      })
      expect(plan).toHaveLength(22 + LIMIT + 1)
      expect(requests).toMatchObject({ planned: 22 + LIMIT + 1 })
      expect((rows as unknown[])[0]).toEqual({
        name: "https",
        verdict: "pass",
        sent: "(looks at what other rows got)",
        received: "the URL is https:",
        advice: null,
      })
      expect(finished.code).toBe(0)
    } finally {
      await deployment.close()
    }
  })

  it("sends nothing to a host that was not typed in full, and exits with 2", async () => {
    expectRefusal(await program.run(["check", "https://api.example.com"]), "ERR_USAGE", 2)
    const partly = ["check", "https://api.example.com", "--i-operate", "example.com"]
    expectRefusal(await program.run(partly), "ERR_USAGE", 2)
    expectJsonRefusal(await program.run([...partly, "--json"]), "ERR_USAGE", 2)
    expectRefusal(await program.run([...whole, "--limit", "1000"]), "ERR_USAGE", 2)
    expectRefusal(await program.run([...whole, "--limit", "0"]), "ERR_USAGE", 2)
    expectRefusal(await program.run(["check"]), "ERR_USAGE", 2)
  })

  it("exits with 1, and a word, where the file of certificates is missing", async () => {
    expectRefusal(await program.run(["check", good.url, "--ca", "none.pem"]), "ERR_FILE")
  })
})

it("lists what sealwire check will send before the first request is sent", async () => {
  const happened: string[] = []
  const server = await listen(
    createServer((_, res) => {
      happened.push("a request")
      res.end()
    }),
  )
  const list = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    happened.push(String(text).includes("1  directory") ? "the list" : "something else")
    return true
  })
  const document = vi.spyOn(process.stdout, "write").mockImplementation((...args: unknown[]) => {
    const written = args.find((each) => typeof each === "function") as (() => void) | undefined
    written?.()
    return true
  })
  const cli = new Command().exitOverride()
  addCheck(cli)
  try {
    const checked = cli.parseAsync(["check", server.url, "--json"], { from: "user" })
    await expect(checked).rejects.toThrow("failed: directory")
  } finally {
    list.mockRestore()
    document.mockRestore()
    await server.close()
  }
  expect(happened.slice(0, 2)).toEqual(["the list", "a request"])
  expect(happened.filter((each) => each === "a request")).toHaveLength(4)
})
