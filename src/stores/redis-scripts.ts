/**
 * The two scripts of the Redis store. Each runs as one step of the server that holds its keys.
 *
 * `master_replid` names one life of a primary: it is drawn anew when a server process starts and when a replica is
 * promoted, the two moments at which ids can go missing. A marker, the first of each pair of keys, holds that name and
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
 * ARGV: the caller's Unix milliseconds, and how far the server's may be from them.
 *
 * Clocks are compared before anything is written: a marker must not get a wrong time, nor an id a wrong life.
 */
const HEAD = `
local call = redis.call
local history = call('INFO', 'replication'):match('role:master%s.-master_replid:(%x+)')
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not history then return {'replica', 0, now} end
if math.abs(now - ARGV[1]) > tonumber(ARGV[2]) then return {'apart', 0, now} end
local function since_of(marker)
  local value = call('GET', marker)
  return value and value:sub(1, #history) == history and tonumber(value:sub(#history + 2))
end
`

/**
 * KEYS: marker and id, for each claim. ARGV, from the third on: when each id expires.
 * Gives since when ids are kept, the time, and one letter for each claim; see {@link VERDICTS}.
 */
export const CLAIM: Script = {
  text: `${HEAD}
local since, known, verdicts = 0, {}, {}
for claim = 1, #KEYS / 2 do
  local marker = KEYS[2 * claim - 1]
  if known[marker] == nil then known[marker] = since_of(marker) end
  local life = ARGV[2 + claim] - now
  local verdict = 'm'
  if known[marker] then
    since = math.max(since, known[marker])
    if life <= 0 then verdict = 'l'
    elseif call('SET', KEYS[2 * claim], 1, 'NX', 'PX', life) then verdict = 'w'
    else verdict = 'h' end
  end
  verdicts[claim] = verdict
end
return {'claimed', since, now, table.concat(verdicts)}
`,
  sha: "e53ffc8aea4e1e897a477993c6d3e7ec723518cb",
}

/** What the letters of {@link CLAIM} say. */
export const VERDICTS: Readonly<Partial<Record<string, string>>> = Object.freeze({
  w: "won",
  h: "held",
  l: "late",
  m: "lost",
})

/**
 * KEYS: marker. Writes it anew unless it is of this life.
 * Gives since when ids are kept, the time, and what the server does when memory is full.
 */
export const MARK: Script = {
  text: `${HEAD}
local since = since_of(KEYS[1])
if not since then
  since = now
  call('SET', KEYS[1], history .. ' ' .. now)
end
local policy = call('INFO', 'memory'):match('maxmemory_policy:([%w-]+)')
return {'marked', since, now, policy or 'hidden'}
`,
  sha: "1b976a004400edeb223907c484080a29d477165a",
}
