/**
 * A process that claims over Postgres: `node … <client> <port>`.
 *
 * @module
 */

import { postgresStore } from "../../src/stores/postgres.ts"
import { serveClaims } from "./claim-process.ts"
import { POSTGRES_CLIENTS } from "./postgres-clients.ts"

const [, , name = "", port] = process.argv
const connected = await POSTGRES_CLIENTS[name]?.(Number(port))
if (!connected) throw new Error(name)
serveClaims(postgresStore(connected.client, { clockErrorSeconds: 30 }))
