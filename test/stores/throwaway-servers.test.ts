import { execFileSync, fork } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, test } from "vitest"

import { bundleForProcess } from "../support/claim-processes.ts"
import { notRun } from "../support/not-run.ts"
import { hasPostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { hasRedisServer } from "../support/redis-server.ts"

const missing = hasPostgresServer ? !hasRedisServer() && "redis-server" : "postgres"
if (missing) notRun("throwaway servers", missing)

/** The id of a server's shared memory of System V. */
const segmentOf = (data: string): string =>
  readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[6]?.trim().split(/\s+/)[1] ?? ""

/** The ids of all there are. */
const segments = (): (string | undefined)[] =>
  execFileSync("ipcs", ["-m"], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.split(/\s+/)[1])

/** Whether a process is there, and is not just waiting for its parent to ask how it ended. */
function isRunning(pid: number): boolean {
  const listed = execFileSync("ps", ["-e", "-o", "pid=,stat="], { encoding: "utf8" }).split("\n")
  return listed.some((line) => new RegExp(`^ *${pid} +[^Z]`).test(line))
}

describe.skipIf(missing)("a throwaway server", () => {
  test.each(["stopped", "killed"])("leaves no memory behind when it is %s", async (how) => {
    const server = await startPostgresServer()
    const data = server.sql("SHOW data_directory")
    const segment = segmentOf(data)
    expect(readdirSync(join(data, "pg_dynshmem"))).not.toEqual([])
    if (how === "killed") await server.kill()
    expect(segments()).toContain(segment)
    await server.close()
    expect(segments()).not.toContain(segment)
    expect(existsSync(data)).toBe(false)
  })

  test("ends with the process that started it, even by kill -9", async () => {
    const bundle = await bundleForProcess("servers-process.ts")
    const child = fork(bundle.path)
    const [{ folders, pids }] = (await once(child, "message")) as [{ folders: string[]; pids: number[] }]
    const segment = segmentOf(folders[0] ?? "")
    const left = (): unknown[] => [...folders.filter((each) => existsSync(each)), ...pids.filter(isRunning)]
    expect(left()).toEqual([...folders, ...pids])
    child.kill("SIGKILL")
    while (left().length > 0) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(segments()).not.toContain(segment)
    bundle.remove()
  })
})
