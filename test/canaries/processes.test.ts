/** The control of the watch over processes that tests start: what one of them leaks on purpose is found. */

import { execFile, execFileSync, fork, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { promisify } from "node:util"

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"

import { canaries } from "../support/canaries.ts"
import { bundleForProcess } from "../support/claim-processes.ts"

let leaker: Awaited<ReturnType<typeof bundleForProcess>>
beforeAll(async () => {
  leaker = await bundleForProcess("./leaking-process.ts")
})
afterAll(() => {
  leaker.remove()
})

/** What was found in what processes have written, by secret and place. */
function found(): string[] {
  return canaries.takeFindings().map(({ canary, place }) => `${canary} in ${place.replace(/ .*/, "")}`)
}
afterEach(() => {
  found()
})

const SECRETS = [
  "a content key",
  "a session secret",
  "an exported secret",
  "a seed",
  "a message",
  "a private key (d)",
]

describe("the watch over processes", () => {
  it.each(SECRETS)("finds %s of another process in what that one writes", async (name) => {
    await promisify(execFile)(process.execPath, [leaker.path, name, "stdout"])
    expect(found()).toEqual([`${name} in stdout`])
  })

  it("hears a process in each way in which it is started", async () => {
    const args = [leaker.path, "a content key", "stderr"]
    const ways: Record<string, () => unknown> = {
      spawn: () => once(spawn(process.execPath, args), "close"),
      "spawn that inherits": () => once(spawn(process.execPath, args, { stdio: "inherit" }), "close"),
      fork: () => once(fork(leaker.path, args.slice(1)), "close"),
      spawnSync: () => spawnSync(process.execPath, args),
      execFileSync: () => execFileSync(process.execPath, args),
    }
    for (const [way, run] of Object.entries(ways)) {
      await run()
      // once more where it goes through this process
      expect(new Set(found()), way).toEqual(new Set(["a content key in stderr"]))
    }
  })

  it("leaves a process its pieces, and finds what comes in two", async () => {
    const child = spawn(process.execPath, [leaker.path, "a content key", "pieces"])
    const closed = once(child, "close")
    const pieces: Buffer[] = []
    const finds: string[] = []
    for await (const piece of child.stdout) {
      pieces.push(piece as Buffer)
      finds.push(...found())
    }
    await closed
    expect(pieces.length).toBeGreaterThan(1)
    expect(Buffer.concat(pieces).toString()).toMatch(/^[\da-f]{64}\n$/)
    expect([...finds, ...found()]).toEqual(["a content key in stdout"])
  })

  it("lets a command show what it is for, on standard output, and nothing else", async () => {
    const run = (...args: string[]): Promise<unknown> =>
      promisify(execFile)(process.execPath, [leaker.path, ...args])
    await run("open", "stdout")
    expect(found()).toEqual([])
    await run("open", "stderr")
    expect(found()).toEqual(["a message in stderr"])
    await run("open", "stdout", "a content key")
    expect(found()).toEqual(["a content key in stdout"])
    const key = `sw_a2b3c4d5e6f7g2h3_k5m2p7q3r6s4t2u5v3w6x4y7z2a5b3c6`
    await run("api-keys", "stdout", key)
    expect(found()).toEqual([])
    canaries.search("log", key)
    expect(found()).toEqual(["an API key in log"])
  })
})
