/**
 * What claim-processes.ts runs over Redis. Arguments: the client's package, the port.
 *
 * @module
 */

import { redisStore } from "../../src/stores/redis.ts"
import { serveClaims } from "./claim-process.ts"
import { REDIS_CLIENTS } from "./redis-clients.ts"

const [name = "", port] = process.argv.slice(2)
const connect = REDIS_CLIENTS[name]
if (!connect) throw new Error(`no client ${name}`)
const { client } = await connect(Number(port))
serveClaims(redisStore(client, { prefix: "race" }))
