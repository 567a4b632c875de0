/**
 * A process that claims over a SQLite file: `node … <path>`.
 *
 * @module
 */

import { sqliteStore } from "../../src/stores/sqlite.ts"
import { serveClaims } from "./claim-process.ts"
import { anySqlite } from "./sqlite-clients.ts"

const database = anySqlite?.(process.argv[2] ?? "")
if (!database) throw new Error("no SQLite client")
serveClaims(sqliteStore(database, { busyTimeoutMs: 30_000 }))
