/**
 * What session-processes.ts runs over Redis. Arguments: the port, the identity, the record key.
 *
 * @module
 */

import { redisSessionStore } from "../../src/stores/redis.ts"
import { REDIS_CLIENTS } from "./redis-clients.ts"
import { serveSessions } from "./session-process.ts"

const [port, pem = "", recordKey = ""] = process.argv.slice(2)
const connected = await REDIS_CLIENTS["redis"]?.(Number(port))
if (connected) await serveSessions(redisSessionStore(connected.client, { prefix: "fleet" }), pem, recordKey)
