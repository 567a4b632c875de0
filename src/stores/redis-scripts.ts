/**
 * The two scripts of the Redis store. Each runs as one step of the server that holds its keys.
 *
 * `master_replid` names one life of a primary: it is drawn anew when a server process starts and when a replica is
 * promoted, the two moments at which ids can go missing. A marker, the first key of both scripts, holds that name and
 * since when ids are kept under it. A claim reads both in the same step that sets the id, so there is no moment between
 * a loss and its discovery: a marker that is gone (flushed, evicted) or of another life means that nothing is set.
 *
 * @module
 */

/** A script and its name on the server. */
export interface Script {
  readonly text: string
  /** SHA-1 of `text`, in hex. */
  readonly sha: string
}

/**
 * KEYS: marker. ARGV: the caller's Unix milliseconds, and how far the server's may be from them.
 *
 * Clocks are compared before anything is written: a marker must not get a wrong time, nor an id a wrong life.
 */
const HEAD = `
local history = redis.call('INFO', 'replication'):match('role:master%s.-master_replid:(%x+)')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not history then return {'replica', 0, now} end
if math.abs(now - ARGV[1]) > tonumber(ARGV[2]) then return {'apart', 0, now} end
local marker = redis.call('GET', KEYS[1])
local since = marker and marker:sub(1, #history) == history and tonumber(marker:sub(#history + 2))
`

/** KEYS: marker, id. ARGV[3]: when the id expires. Gives what became of it, since when ids are kept, and the time. */
export const CLAIM: Script = {
  text: `${HEAD}
if not since then return {'lost', 0, now} end
local life = ARGV[3] - now
if life <= 0 then return {'late', since, now} end
local set = redis.call('SET', KEYS[2], 1, 'NX', 'PX', life)
return {set and 'won' or 'held', since, now}
`,
  sha: "7f2af7236da2d689b50f6a8295ec2ec278917957",
}

/** Writes the marker anew unless it is of this life. Gives as CLAIM does, and what the server does when memory is full. */
export const MARK: Script = {
  text: `${HEAD}
if not since then
  since = now
  redis.call('SET', KEYS[1], history .. ' ' .. now)
end
local policy = redis.call('INFO', 'memory'):match('maxmemory_policy:([%w-]+)')
return {'marked', since, now, policy or 'hidden'}
`,
  sha: "9971f1d8cf9dbef764d00e295f51cf90e73bc7fc",
}
