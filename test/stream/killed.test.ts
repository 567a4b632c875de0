import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import {
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

import { build } from "esbuild"
import { afterAll, beforeAll, expect, test } from "vitest"

import { sealedSize } from "../../src/stream.ts"
import { plaintextOf } from "../support/pieces.ts"
import { TEST_ALL } from "../support/runs.ts"
import { reader } from "../support/streams.ts"
import { knownAnswers } from "../support/vectors.ts"

const KILLS = TEST_ALL ? 200 : 20
/** One round of sealing and opening takes about 60 ms. */
const LONGEST_LIFE_MS = 150

const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))
const folder = realpathSync(mkdtempSync(join(tmpdir(), "sealwire-killed-")))
const at = (name: string): string => join(folder, name)
const plaintext = plaintextOf(8_000_000)

beforeAll(async () => {
  writeFileSync(at("plain"), plaintext)
  await build({
    entryPoints: [fileURLToPath(new URL("../support/file-victim.ts", import.meta.url))],
    outfile: join(folder, "victim.mjs"),
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
})
afterAll(() => rmSync(folder, { recursive: true }))

function start(): ChildProcess {
  const names = ["plain", "sealed", "opened"].map(at)
  return spawn(process.execPath, [at("victim.mjs"), ...names, JSON.stringify(knownAnswers.recipient)], {
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

test(
  `leaves no part of a file under its name when it is killed, ${KILLS} times`,
  { timeout: KILLS * 5000 },
  async () => {
    let cutShort = 0
    for (let i = 0; i < KILLS; i++) {
      const child = start()
      await once(child.stdout as NodeJS.ReadableStream, "data")
      await sleep(Math.random() * LONGEST_LIFE_MS)
      child.kill("SIGKILL")
      await once(child, "exit")
      const names = readdirSync(folder)
      checkFinalNames(names)
      const unfinished = names.filter((name) => /^\.sealwire-.*\.tmp$/.test(name))
      if (unfinished.length > 0) cutShort++
      for (const name of [...unfinished, "sealed", "opened"]) rmSync(at(name), { force: true })
      expect(readdirSync(folder).sort()).toEqual(["plain", "victim.mjs"])
    }
    // otherwise nothing was tested
    expect(cutShort).toBeGreaterThan(KILLS / 4)
  },
)
