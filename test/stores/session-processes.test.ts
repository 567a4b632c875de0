import { randomBytes } from "node:crypto"

import { describe, expect, test } from "vitest"

import { exportPem, generateSigningKeyPair } from "../../src/keys.ts"
import { openSession, type Session, type SessionTransport } from "../../src/session.ts"
import { postgresSessionSchema } from "../../src/stores/postgres.ts"
import { notRun } from "../support/not-run.ts"
import { hasPostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { hasRedisServer, startRedisServer } from "../support/redis-server.ts"
import { FLEET_ORIGIN } from "../support/session-process.ts"
import { type SessionProcess, startSessionProcesses } from "../support/session-processes.ts"
import { clientLibrary } from "../support/store-clients.ts"

const PROCESSES = 4

interface Database {
  readonly missing: string | false
  readonly entry: string
  start(): Promise<{ readonly port: number; close(): Promise<void> }>
}

const DATABASES: Readonly<Record<string, Database>> = {
  Redis: {
    missing: hasRedisServer() ? clientLibrary("redis") === undefined && "redis" : "redis-server",
    entry: "./redis-sessions-server.ts",
    start: () => startRedisServer(),
  },
  Postgres: {
    missing: hasPostgresServer ? clientLibrary("pg") === undefined && "pg" : "postgres",
    entry: "./postgres-sessions-server.ts",
    async start() {
      const server = await startPostgresServer()
      server.sql(postgresSessionSchema())
      return server
    },
  },
}

/** Asks the processes in turn; one that is dead is left out, as a proxy does. */
function roundRobin(processes: readonly SessionProcess[]): SessionProcess["ask"] {
  let turn = 0
  return async (question) => {
    const first = turn++ % processes.length
    for (const next of [...processes.slice(first), ...processes.slice(0, first)]) {
      try {
        return await next.ask(question)
      } catch (error) {
        if (!(error as Error).message.includes("ERR_DEAD")) throw error
      }
    }
    throw new Error("no process is left")
  }
}

async function echoes(session: Session, ask: SessionProcess["ask"], text: string): Promise<string> {
  const { envelope, openReply } = await session.sealRequest(text)
  return (await openReply(await ask({ do: "message", text: envelope }))).text()
}

for (const [name, { missing, entry, start }] of Object.entries(DATABASES)) {
  if (missing) notRun(`sessions of ${PROCESSES} processes over ${name}`, missing)
  describe.skipIf(missing)(`sessions of ${PROCESSES} processes over ${name}`, () => {
    test("open once, move between processes, and outlive one of them", { timeout: 120_000 }, async () => {
      const database = await start()
      const { signingKey } = await generateSigningKeyPair({ extractable: true })
      const args = [String(database.port), await exportPem(signingKey), randomBytes(32).toString("hex")]
      const fleet = await startSessionProcesses(entry, PROCESSES, args)
      const ask = roundRobin(fleet.processes)
      const wins: number[] = []
      const transport: SessionTransport = {
        offer: (text) => ask({ do: "offer", text }),
        async open(id, text) {
          const racing = Array.from({ length: 20 }, () => ask({ do: "open", id, text }))
          const answers = await Promise.allSettled(racing)
          const won = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []))
          wins.push(won.length)
          return won[0] ?? ""
        },
      }
      try {
        const open = () => openSession({ pins: [signingKey.kid], origin: FLEET_ORIGIN, transport })
        const sessions = [await open(), await open(), await open(), await open()]
        expect(wins).toEqual([1, 1, 1, 1])
        for (let i = 0; i < PROCESSES * 3; i++) {
          for (const session of sessions) expect(await echoes(session, ask, `m${i}`)).toBe(`m${i}`)
        }
        await fleet.processes[0]?.kill()
        const under = sessions.flatMap((session) =>
          Array.from({ length: 10 }, (_, i) => echoes(session, ask, `after ${i}`)),
        )
        expect(await Promise.all(under)).toHaveLength(40)
      } finally {
        await fleet.close()
        await database.close()
      }
    })
  })
}
