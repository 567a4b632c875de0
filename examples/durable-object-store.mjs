// A replay store in a Durable Object, held to the contract of stores. Run: node examples/durable-object-store.mjs (Node 22)
import { DatabaseSync } from "node:sqlite"
import { createTestClock, replayStoreContract } from "sealwire/testing"

/**
 * What is used of a Durable Object's storage, in a class that wrangler's migrations list under `new_sqlite_classes`.
 *
 * @typedef {object} Storage
 * @property {{ exec(query: string, ...values: unknown[]): { toArray(): Record<string, unknown>[] } }} sql
 * @property {() => Promise<number | null>} getAlarm
 * @property {(timeMs: number) => Promise<void>} setAlarm
 */

const PURGE_EVERY_MS = 60_000

/** The ids. In a Worker: `export class ReplayIds extends DurableObject`, and `super(ctx, env)` first. */
class ReplayIds {
  #storage
  /** @param {{ storage: Storage }} ctx */
  constructor({ storage }) {
    this.#storage = storage
    storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, expires_at_ms INTEGER) WITHOUT ROWID",
    )
    storage.sql.exec("CREATE INDEX IF NOT EXISTS expiry ON ids (expires_at_ms)")
    storage.sql.exec("CREATE TABLE IF NOT EXISTS life (one INTEGER PRIMARY KEY, since_ms, purged_ms)")
    storage.sql.exec("INSERT INTO life VALUES (1, ?, 0) ON CONFLICT DO NOTHING", Date.now())
  }

  /**
   * @param {string} id
   * @param {number} expiresAtMs
   */
  async claim(id, expiresAtMs) {
    // before the ids are looked at: between here and the answer nothing may wait
    if ((await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(Date.now() + PURGE_EVERY_MS)
    const { sql } = this.#storage
    const [life] = sql.exec("SELECT since_ms, purged_ms FROM life").toArray()
    if (!life || expiresAtMs <= Math.max(Date.now(), Number(life["purged_ms"]))) {
      throw new Error("the id has expired, or may have been purged")
    }
    // one statement tells and records; the platform sends the answer when the row is durable
    const insert = "INSERT INTO ids VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1"
    return {
      isNew: sql.exec(insert, id, expiresAtMs).toArray().length === 1,
      sinceMs: Number(life["since_ms"]),
    }
  }

  async alarm() {
    const { sql } = this.#storage
    const nowMs = Date.now()
    sql.exec("UPDATE life SET purged_ms = max(purged_ms, ?)", nowMs)
    sql.exec("DELETE FROM ids WHERE expires_at_ms <= ?", nowMs)
    const [left] = sql.exec("SELECT 1 FROM ids LIMIT 1").toArray()
    if (left) await this.#storage.setAlarm(nowMs + PURGE_EVERY_MS)
  }
}

/**
 * The Worker's side. There `connect` is `() => env.REPLAY_IDS.get(env.REPLAY_IDS.idFromName("ids"))`.
 *
 * @param {() => Pick<ReplayIds, "claim">} connect
 */
function durableObjectStore(connect) {
  let sinceMs = 0
  return {
    /**
     * @param {string} id
     * @param {number} expiresAtMs
     */
    async claim(id, expiresAtMs) {
      const answer = await connect().claim(id, expiresAtMs)
      sinceMs = Math.max(sinceMs, answer.sinceMs)
      return answer.isNew
    },
    knowsSince: () => sinceMs,
  }
}

// From here on: what stands in for the platform, its time included.
const clock = createTestClock()
Date.now = clock
const database = new DatabaseSync(":memory:")
/** @type {number | null} */
let alarmMs = null
/** @type {Storage} */
const storage = {
  sql: {
    exec(query, ...values) {
      const rows = database.prepare(query).all(.../** @type {(string | number)[]} */ (values))
      return { toArray: () => rows }
    },
  },
  getAlarm: async () => alarmMs,
  setAlarm: async (timeMs) => void (alarmMs = timeMs),
}
const object = new ReplayIds({ storage })
const create = () => durableObjectStore(() => object)

const failures = []
/** @param {number} durationMs */
const wait = async (durationMs) => clock.advance(durationMs)
for (const { name, run } of replayStoreContract({ create, reopen: create, now: clock, wait })) {
  await run().catch(() => failures.push(name))
}
console.log("cases that fail:", failures.length) // 0

const shortLived = "A".repeat(43)
await object.claim(shortLived, Date.now() + 1000)
clock.advance(1000)
await object.alarm()
const left = database.prepare("SELECT count(*) AS count FROM ids WHERE id = ?").get(shortLived)
console.log("expired ids left:", Number(left?.["count"])) // 0
console.log("the next purge is due:", alarmMs !== null) // true
