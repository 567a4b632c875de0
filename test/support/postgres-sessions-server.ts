/**
 * What session-processes.ts runs over Postgres. Arguments: the port, the identity, the record key.
 *
 * @module
 */

import { postgresSessionStore } from "../../src/stores/postgres.ts"
import { POSTGRES_CLIENTS } from "./postgres-clients.ts"
import { serveSessions } from "./session-process.ts"

const [port, pem = "", recordKey = ""] = process.argv.slice(2)
const connected = await POSTGRES_CLIENTS["pg"]?.(Number(port))
if (connected) await serveSessions(postgresSessionStore(connected.client), pem, recordKey)
