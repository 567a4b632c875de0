/**
 * Four server processes over one ring, rotated again and again under load: not one message is refused, and when each key was
 * last used is known. Time runs ten times as fast as the world's.
 */

import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { createClient } from "../../src/client.ts"
import type { KeyRingEvent, KeyRingStore, KeyUse, StoredKey } from "../../src/key-ring.ts"
import { exportJwk, generateSigningKeyPair } from "../../src/keys.ts"
import { folderKeyRingStore } from "../../src/stores/folder.ts"
import { migrateKeyRing, postgresKeyRingStore } from "../../src/stores/postgres.ts"
import { bundleForProcess } from "../support/claim-processes.ts"
import { notRun, RUN_ALL } from "../support/not-run.ts"
import { POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import type { RingServerTask } from "../support/ring-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const SERVERS = 4
const CLIENTS = 6
const SPEED = 10
const ORIGIN = "https://api.example.com"
const ROTATIONS = RUN_ALL ? 8 : 4
/** A rotation every 6 s of the world; a retired key goes 15 s after. */
const TERMS = {
  rotateEverySeconds: 60,
  refreshSeconds: 10,
  pendingSeconds: 30,
  directoryLifetimeSeconds: 60,
  maxAgeSeconds: 60,
  maxSkewSeconds: 10,
  clockErrorSeconds: 5,
  modulusBits: 2048,
} as const
const LIMIT_MS = 10_000 + 6000 * (ROTATIONS + 4) * 3

type Told =
  | Exclude<KeyRingEvent, { type: "failed" }>
  | { readonly type: "failed"; readonly error: string }
  | { readonly type: "refused"; readonly code: string }
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "keys"; readonly keys: StoredKey[] }

interface Server {
  readonly child: ChildProcess
  readonly port: number
}

function told<Type extends Told["type"]>(
  child: ChildProcess,
  type: Type,
): Promise<Extract<Told, { type: Type }>> {
  return new Promise((resolve, reject) => {
    const listen = (message: Told): void => {
      if (message.type !== type) return
      child.off("message", listen)
      resolve(message as Extract<Told, { type: Type }>)
    }
    child.on("message", listen)
    child.once("exit", () => {
      reject(new Error("a server ended"))
    })
  })
}

interface Outcome {
  readonly answered: number
  readonly failures: unknown[]
  readonly events: Told[]
  readonly keys: StoredKey[][]
}

/** Runs the fleet under load until as many rotations were planned as are wanted, and one retired key was destroyed. */
async function runFleet(program: string, task: RingServerTask, pin: string): Promise<Outcome> {
  const events: Told[] = []
  const clock = (): number => task.startMs + (Date.now() - task.startMs) * task.speed
  const servers: Server[] = await Promise.all(
    Array.from({ length: SERVERS }, async () => {
      const child = fork(program, [JSON.stringify(task)])
      child.on("message", (message: Told) => void events.push(message))
      return { child, port: (await told(child, "listening")).port }
    }),
  )
  const failures: unknown[] = []
  let answered = 0
  let isOver = false

  async function load(): Promise<void> {
    const client = createClient({
      baseUrl: ORIGIN,
      pins: [pin],
      clock,
      retry: { attempts: 1 },
      // each request to any of the servers, as a balancer does it
      fetch: (url, init) => {
        const { port = 0 } = servers[Math.floor(Math.random() * SERVERS)] ?? {}
        return fetch(url.replace(ORIGIN, `http://127.0.0.1:${port}`), init)
      },
    })
    while (!isOver) {
      try {
        const body = randomBytes(8).toString("hex")
        const response = await client.fetch("/echo", { method: "POST", body })
        if ((await response.text()) !== body) throw new Error("another answer")
        answered++
      } catch (error) {
        failures.push(error)
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const loads = Array.from({ length: CLIENTS }, load)
  const count = (type: Told["type"]): number => events.filter((event) => event.type === type).length
  const deadlineMs = Date.now() + LIMIT_MS
  while ((count("planned") < ROTATIONS || count("destroyed") === 0) && Date.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  isOver = true
  await Promise.all(loads)
  // twice: counters that one flushed after another had read
  let keys: StoredKey[][] = []
  for (let round = 0; round < 2; round++) {
    const answers = servers.map(async ({ child }) => {
      const answer = told(child, "keys")
      child.send("report")
      return (await answer).keys
    })
    keys = await Promise.all(answers)
  }
  await Promise.all(
    servers.map(({ child }) => {
      child.disconnect()
      return once(child, "exit")
    }),
  )
  return { answered, failures, events, keys }
}

async function expectNoGap(
  program: string,
  where: RingServerTask["store"],
  store: KeyRingStore,
): Promise<void> {
  const { signingKey, verifyingKey } = await generateSigningKeyPair({ extractable: true })
  const task: RingServerTask = {
    store: where,
    wrappingKey: randomBytes(32).toString("hex"),
    terms: TERMS,
    identity: await exportJwk(signingKey),
    startMs: Date.now(),
    speed: SPEED,
  }
  const { answered, failures, events, keys } = await runFleet(program, task, verifyingKey.kid)
  expect(failures).toEqual([])
  expect(events.filter(({ type }) => type === "refused")).toEqual([])
  expect(events.filter(({ type }) => type === "failed")).toEqual([])
  expect(events.filter(({ type }) => type === "planned").length).toBeGreaterThanOrEqual(ROTATIONS)
  expect(events.filter(({ type }) => type === "destroyed").length).toBeGreaterThanOrEqual(1)
  expect(answered).toBeGreaterThan(20 * ROTATIONS)

  // every message is in the counters, those of destroyed keys among them
  const uses = JSON.parse((await store.load("uses"))?.text ?? "") as Record<string, KeyUse>
  expect(Object.values(uses).reduce((sum, { count }) => sum + count, 0)).toBe(answered)
  const retired = keys[0]?.filter(({ state }) => state === "retired") ?? []
  expect(retired.length).toBeGreaterThan(0)
  for (const { kid, use, activeFromMs = 0, retiredFromMs = 0 } of retired) {
    expect(use.lastUsedAtMs).toBeGreaterThan(activeFromMs)
    // by the last directory that named it, and no later than a message lives
    expect(use.lastUsedAtMs).toBeLessThan(retiredFromMs + 120_000)
    for (const list of keys) expect(list.find((key) => key.kid === kid)?.use).toEqual(use)
  }
}

describe("four servers, rotated under load", () => {
  let program: Awaited<ReturnType<typeof bundleForProcess>>
  const folder = mkdtempSync(join(tmpdir(), "sealwire-fleet-"))
  beforeAll(async () => {
    program = await bundleForProcess("./ring-server.ts")
  })
  afterAll(() => {
    program.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  test("refuse nothing over a folder", { timeout: 2 * LIMIT_MS }, async () => {
    await expectNoGap(program.path, { folder }, folderKeyRingStore(folder))
  })

  const missing = hasPostgresServer ? clientLibrary("pg") === undefined && "pg" : "postgres"
  if (missing) notRun("a fleet over a ring in Postgres", missing)

  test.skipIf(missing)("refuse nothing over Postgres", { timeout: 2 * LIMIT_MS }, async () => {
    const server = await startPostgresServer()
    const found = await POSTGRES_CLIENTS["pg"]?.(server.port)
    if (!found) throw new Error("no pg")
    try {
      await migrateKeyRing(found.client)
      await expectNoGap(program.path, { postgresPort: server.port }, postgresKeyRingStore(found.client))
    } finally {
      await found.close()
      await server.close()
    }
  })
})
