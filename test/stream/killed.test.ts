import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

import { build, type Plugin } from "esbuild"
import { afterAll, beforeAll, expect, test } from "vitest"

import { sealedSize } from "../../src/stream.ts"
import { plaintextOf } from "../support/pieces.ts"
import { TEST_ALL } from "../support/runs.ts"
import { buildSegmentWorker } from "../support/segment-worker.ts"
import { reader } from "../support/streams.ts"
import { knownAnswers } from "../support/vectors.ts"

const KILLS = TEST_ALL ? 200 : 20
/** One round of sealing and opening takes about 60 ms, and with crews about 150. */
const LONGEST_LIFE_MS = { one: 150, crew: 300 }

const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))
const base = realpathSync(mkdtempSync(join(tmpdir(), "sealwire-killed-")))
const inFolder = (name: string): string => join(base, name)
const at = (name: string): string => join(base, "work", name)
const plaintext = plaintextOf(8_000_000)

/** Gives crews to files of any size. */
const smallCrews: Plugin = {
  name: "small-crews",
  setup: (bundle) => {
    const path = fileURLToPath(new URL("../support/small-crews.ts", import.meta.url))
    bundle.onResolve({ filter: /\/crew-terms\.ts$/ }, () => ({ path }))
  },
}

function buildVictim(outfile: string, plugins: Plugin[]): Promise<unknown> {
  return build({
    entryPoints: [fileURLToPath(new URL("../support/file-victim.ts", import.meta.url))],
    outfile,
    plugins,
    bundle: true,
    format: "esm",
    platform: "node",
    alias: {
      "sealwire/file": source("file.ts"),
      sealwire: source("index.ts"),
      "#backend": fileURLToPath(new URL("../support/watched-node.ts", import.meta.url)),
      "#base64url": source("base/base64url-node.ts"),
    },
  })
}

beforeAll(async () => {
  mkdirSync(inFolder("work"))
  writeFileSync(at("plain"), plaintext)
  await buildVictim(inFolder("one.mjs"), [])
  await buildVictim(inFolder("crew.mjs"), [smallCrews])
  await buildSegmentWorker(inFolder("segment-worker.mjs"))
})
afterAll(() => rmSync(base, { recursive: true }))

function start(victim: string): ChildProcess {
  const names = ["plain", "sealed", "opened"].map(at)
  return spawn(process.execPath, [inFolder(victim), ...names, JSON.stringify(knownAnswers.recipient)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
}

/** What stands under its final name must be complete. */
function checkFinalNames(names: readonly string[]): void {
  if (names.includes("sealed")) {
    expect(statSync(at("sealed")).size).toBe(sealedSize(plaintext.length, { to: reader.publicKey }))
  }
  if (names.includes("opened")) expect(readFileSync(at("opened")).equals(plaintext)).toBe(true)
}

test.each(["one", "crew"] as const)(
  `leaves no part of a file under its name when it is killed, ${KILLS} times, at the work of %s`,
  { timeout: KILLS * 5000 },
  async (victim) => {
    let cutShort = 0
    for (let i = 0; i < KILLS; i++) {
      const child = start(`${victim}.mjs`)
      await once(child.stdout as NodeJS.ReadableStream, "data")
      await sleep(Math.random() * LONGEST_LIFE_MS[victim])
      child.kill("SIGKILL")
      await once(child, "exit")
      const names = readdirSync(inFolder("work"))
      checkFinalNames(names)
      const unfinished = names.filter((name) => /^\.sealwire-.*\.tmp$/.test(name))
      if (unfinished.length > 0) cutShort++
      for (const name of [...unfinished, "sealed", "opened"]) rmSync(at(name), { force: true })
      expect(readdirSync(inFolder("work"))).toEqual(["plain"])
    }
    // otherwise nothing was tested
    expect(cutShort).toBeGreaterThan(KILLS / 4)
  },
)
