/**
 * Where `sealwire api-keys` keeps its records: a JSON file, which a server loads with `memoryApiKeyStore`, or a SQLite file, which
 * it shares with running servers.
 *
 * @module
 */

import { access, open, readFile, rename, unlink, writeFile } from "node:fs/promises"

import { type ApiKeyRecord, type ApiKeyStore, memoryApiKeyStore } from "../api-keys.ts"
import { sqliteApiKeyStore, type SqliteKeyDatabase } from "../stores/sqlite.ts"
import { CommandError, reasonOf } from "./failure.ts"
import { PRIVATE_MODE } from "./output.ts"

/** How a command uses a store. */
export interface StoreUse {
  readonly path: string
  /** Makes the file unless it is there. */
  readonly creates?: boolean
  /** Leaves the file as it is. */
  readonly readsOnly?: boolean
}

async function assertThere({ path, creates }: StoreUse): Promise<void> {
  if (creates) return
  await access(path).catch((error: unknown) => {
    throw new CommandError("ERR_FILE", `cannot read ${path} (${reasonOf(error)})`)
  })
}

async function readRecords(path: string): Promise<readonly ApiKeyRecord[]> {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    if (reasonOf(error) === "ENOENT") return []
    throw new CommandError("ERR_FILE", `cannot read ${path} (${reasonOf(error)})`)
  }
  try {
    return JSON.parse(text) as ApiKeyRecord[]
  } catch {
    throw new CommandError("ERR_FILE", `${path} is not JSON`)
  }
}

function storeOf(records: readonly ApiKeyRecord[], path: string): ApiKeyStore {
  try {
    return memoryApiKeyStore({ records })
  } catch {
    throw new CommandError("ERR_FILE", `${path} does not hold records of API keys`)
  }
}

/** Holds others off while a file is read, changed and replaced: a revocation that was overwritten would be undone. */
async function lock(path: string): Promise<() => Promise<void>> {
  const lockFile = `${path}.lock`
  const handle = await open(lockFile, "wx", PRIVATE_MODE).catch((error: unknown) => {
    const reason = reasonOf(error)
    if (reason !== "EEXIST") throw new CommandError("ERR_FILE", `cannot write ${lockFile} (${reason})`)
    throw new CommandError(
      "ERR_EXISTS",
      `${lockFile} exists: another command is at work, or was cut off; then remove it`,
    )
  })
  await handle.close()
  return () => unlink(lockFile)
}

/** In one step: whoever reads the file meanwhile sees the old one or the new one. */
async function replace(path: string, records: readonly ApiKeyRecord[]): Promise<void> {
  const next = `${path}.next`
  try {
    await writeFile(next, `${JSON.stringify(records, null, 2)}\n`, { mode: PRIVATE_MODE, flush: true })
    await rename(next, path)
  } catch (error) {
    throw new CommandError("ERR_FILE", `cannot write ${path} (${reasonOf(error)})`)
  }
}

async function withJson<Result>(
  use: StoreUse,
  run: (store: ApiKeyStore) => Promise<Result>,
): Promise<Result> {
  const { path, readsOnly } = use
  if (readsOnly) return run(storeOf(await readRecords(path), path))
  const unlock = await lock(path)
  try {
    const store = storeOf(await readRecords(path), path)
    const result = await run(store)
    await replace(path, await store.list())
    return result
  } finally {
    await unlock()
  }
}

type Sqlite = new (path: string) => SqliteKeyDatabase & { close(): void }

function openSqlite(path: string): InstanceType<Sqlite> {
  // not imported: Node 20 has none, and the other commands work there
  const sqlite = process.getBuiltinModule("node:sqlite") as { readonly DatabaseSync: Sqlite } | undefined
  if (!sqlite) {
    throw new CommandError("ERR_UNSUPPORTED", "a SQLite file wants Node 22 or later: use a .json file")
  }
  try {
    return new sqlite.DatabaseSync(path)
  } catch (error) {
    throw new CommandError("ERR_FILE", `cannot open ${path} (${reasonOf(error)})`)
  }
}

async function withSqlite<Result>(
  path: string,
  run: (store: ApiKeyStore) => Promise<Result>,
): Promise<Result> {
  const database = openSqlite(path)
  try {
    return await run(sqliteApiKeyStore(database))
  } finally {
    database.close()
  }
}

/** Opens a store for one use: a JSON file where the name ends in `.json`, else a SQLite file. */
export async function withRecords<Result>(
  use: StoreUse,
  run: (store: ApiKeyStore) => Promise<Result>,
): Promise<Result> {
  await assertThere(use)
  return use.path.endsWith(".json") ? withJson(use, run) : withSqlite(use.path, run)
}
