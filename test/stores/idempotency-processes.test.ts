/** Two real servers over one idempotency store: asked for the same at once, killed in the middle. */

import { type ChildProcess, fork } from "node:child_process"
import { randomBytes, randomUUID } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { createClient } from "../../src/client.ts"
import { exportPem, generateKeyPair, type PublicKey } from "../../src/keys.ts"
import { bundleForProcess } from "../support/claim-processes.ts"
import { notRun } from "../support/not-run.ts"
import type { Database, OperationTask } from "../support/operation-process.ts"
import { hasPostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { hasRedisServer, startRedisServer } from "../support/redis-server.ts"
import { anySqlite } from "../support/sqlite-clients.ts"
import { clientLibrary } from "../support/store-clients.ts"

const ORIGIN = "https://fleet.example.com"

interface Running {
  readonly database: Database
  close(): unknown
}

const DATABASES: Readonly<
  Record<string, { missing: string | false; start(folder: string): Promise<Running> }>
> = {
  Redis: {
    missing: hasRedisServer() ? clientLibrary("redis") === undefined && "redis" : "redis-server",
    async start() {
      const server = await startRedisServer()
      return { database: { kind: "redis", port: server.port }, close: () => server.close() }
    },
  },
  Postgres: {
    missing: hasPostgresServer ? clientLibrary("pg") === undefined && "pg" : "postgres",
    async start() {
      const server = await startPostgresServer()
      return { database: { kind: "postgres", port: server.port }, close: () => server.close() }
    },
  },
  SQLite: {
    missing: anySqlite === undefined && "a SQLite client",
    start: async (folder) => ({
      database: { kind: "sqlite", path: join(folder, "operations.db") },
      close: () => undefined,
    }),
  },
}

async function start(path: string, task: OperationTask): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(path, [JSON.stringify(task)])
  const [port] = (await once(child, "message")) as [number]
  return { child, port }
}

for (const [name, { missing, start: startDatabase }] of Object.entries(DATABASES)) {
  if (missing) notRun(`operations of two processes over ${name}`, missing)
  describe.skipIf(missing)(`two server processes over ${name}`, { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "sealwire-operations-"))
    const effects = join(folder, "effects")
    let running: Running
    let bundle: Awaited<ReturnType<typeof bundleForProcess>>
    let publicKey: PublicKey
    let task: OperationTask

    beforeAll(async () => {
      running = await startDatabase(folder)
      bundle = await bundleForProcess("operation-process.ts")
      const pair = await generateKeyPair({ modulusBits: 2048, extractable: true })
      publicKey = pair.publicKey
      const [key, recordKey] = [await exportPem(pair.privateKey), randomBytes(32).toString("hex")]
      const { database } = running
      task = { origin: ORIGIN, key, recordKey, database, effects, operationMs: 100, waitMs: 20_000 }
    }, 60_000)
    afterAll(async () => {
      await running.close()
      bundle.remove()
      rmSync(folder, { recursive: true, force: true })
    })

    const acts = (): number => readFileSync(effects, "utf8").split("\n").length - 1

    /** Asks one server for an operation, which two clients may share. */
    async function ask(port: number, operation: string): Promise<{ status: number; text: string }> {
      const client = createClient({
        baseUrl: ORIGIN,
        keys: publicKey,
        fetch: (url, init) => {
          const { pathname } = new URL(url)
          const headers = new Headers(init.headers)
          return fetch(`http://127.0.0.1:${port}${pathname}`, { ...init, headers })
        },
      })
      const headers = { "idempotency-key": operation, "x-request-id": operation }
      const answer = await client.fetch("/transfers", { method: "POST", headers, body: '{"cents":1}' })
      return { status: answer.status, text: await answer.text() }
    }

    test("act once on what both are asked for at once, and give the same answers", async () => {
      writeFileSync(effects, "")
      const servers = await Promise.all([start(bundle.path, task), start(bundle.path, task)])
      try {
        const operations = Array.from({ length: 10 }, () => randomUUID())
        const asked = operations.flatMap((operation) =>
          [0, 1, 0, 1].map((at) => ask(servers[at]?.port ?? 0, operation)),
        )
        const answers = await Promise.all(asked)
        expect(acts()).toBe(operations.length)
        for (const at of operations.keys()) {
          const [first, ...others] = answers.slice(4 * at, 4 * at + 4)
          expect(first?.status).toBe(201)
          for (const other of others) expect(other).toEqual(first)
        }
      } finally {
        for (const { child } of servers) child.disconnect()
      }
    })

    test("leave alone what one of them was killed at: nobody knows whether it was carried out", async () => {
      writeFileSync(effects, "")
      const slow = { ...task, operationMs: 600_000, waitMs: 100 }
      const [doomed, other] = await Promise.all([start(bundle.path, slow), start(bundle.path, slow)])
      try {
        const operation = randomUUID()
        const lost = ask(doomed.port, operation).catch((error: unknown) => error)
        await once(doomed.child, "message")
        doomed.child.kill("SIGKILL")
        expect(await lost).toBeInstanceOf(Error)
        const answer = await ask(other.port, operation)
        expect(answer.status).toBe(409)
        expect(answer.text).toContain("cut off")
        expect(acts()).toBe(1)
      } finally {
        other.child.disconnect()
      }
    })
  })
}
