import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, beforeAll, expect, test } from "vitest"

import { openKeyRing } from "../../src/key-ring.ts"
import { folderKeyRingStore } from "../../src/stores/folder.ts"
import { bundleForProcess } from "../support/claim-processes.ts"
import { openBy, sealBy } from "../support/key-rings.ts"
import { RUN_ALL } from "../support/not-run.ts"

const KILLS = RUN_ALL ? 60 : 8
/** By the victim's terms: when a retired key may be gone. */
const KEEP_MS = 64_000

let program: Awaited<ReturnType<typeof bundleForProcess>>
const base = mkdtempSync(join(tmpdir(), "sealwire-kill-"))
beforeAll(async () => {
  program = await bundleForProcess("./ring-victim.ts")
})
afterAll(() => {
  program.remove()
  rmSync(base, { recursive: true, force: true })
})

/** What two victims said until they were killed. */
async function rotateAndKill(folder: string, nowMs: number): Promise<string[]> {
  let said = ""
  const children: ChildProcess[] = [0, 1].map(() => {
    const child = spawn(process.execPath, [program.path, folder, String(nowMs)], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    child.stdout.on("data", (text: Buffer) => (said += text.toString()))
    return child
  })
  await Promise.all(children.map((child) => child.stdout && once(child.stdout, "data")))
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 400))
  const ended = children.map((child) => once(child, "close"))
  for (const child of children) child.kill("SIGKILL")
  await Promise.all(ended)
  return said.split("\n").slice(0, -1)
}

test(
  `a ring that two processes rotate loads after each of ${KILLS} kills of both, with every key`,
  { timeout: 600_000 },
  async () => {
    const folder = join(base, "ring")
    const store = folderKeyRingStore(folder)
    const protection = { wrappingKey: new Uint8Array(32) }
    let nowMs = 1_700_000_000_000
    let versions = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const lines = await rotateAndKill(folder, nowMs)
      const seen = new Map<string, number>()
      for (const line of lines) {
        const [atMs = "", kid = "", retiredFromMs = ""] = line.split(" ")
        nowMs = Math.max(nowMs, Number(atMs))
        seen.set(kid, Number(retiredFromMs))
      }
      const laterMs = nowMs
      const ring = await openKeyRing({ store, protection, clock: () => laterMs })
      for (const [kid, retiredFromMs] of seen) {
        if (retiredFromMs + KEEP_MS > nowMs) expect(ring.find(kid)?.kid).toBe(kid)
      }
      expect(await openBy(ring, await sealBy(ring))).toBe("hello")
      await ring.close()
      versions = (await store.load("ring"))?.version ?? 0
    }
    expect(versions).toBeGreaterThan(KILLS)
  },
)
