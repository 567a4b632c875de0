/**
 * The scripts of the Redis session store. Each runs as one step of the server. Times are the caller's, in Unix milliseconds.
 *
 * All keys lie in one hash tag, `{prefix:sessions}`: a hash for each offer or session, one set of all by their ends and one of the
 * offers, the ids of each principal, and the names of RSA keys. A hash expires by itself; the sets are cleared before they count.
 *
 * @module
 */

import type { Script } from "./redis-scripts.ts"

/** KEYS: session, ends, offers, key name. ARGV: id, now, its end, content, most sessions, most offers, the key's life. */
export const ADD: Script = {
  text: `
local now, ends = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[6]) then return 'offers' end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then return 'sessions' end
if redis.call('EXISTS', KEYS[1]) == 1 then return 'held' end
redis.call('HSET', KEYS[1], 'state', 'offered', 'content', ARGV[4], 'ends', ends)
redis.call('PEXPIRE', KEYS[1], ends - now)
redis.call('ZADD', KEYS[2], ends, ARGV[1])
redis.call('ZADD', KEYS[3], ends, ARGV[1])
if tonumber(ARGV[7]) > 0 then redis.call('SET', KEYS[4], ARGV[1] .. ' ' .. (now + ARGV[7]), 'PX', ARGV[7]) end
return 'added'
`,
  sha: "a18ffb604ea5aab3bec0d853417b4fcc931ddeec",
}

/**
 * KEYS: session, ends, offers, the principal's. ARGV: id, now, its end, content, principal, when it was opened, what session keys begin with.
 *
 * Each looks at four of the principal's ids and drops those that are no sessions any more, so that they never are many.
 */
export const OPEN: Script = {
  text: `
local now, ends = tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'state', 'ends')
if held[1] ~= 'offered' or tonumber(held[2]) <= now then return 0 end
redis.call('HSET', KEYS[1], 'state', 'open', 'content', ARGV[4], 'ends', ends, 'principal', ARGV[5], 'opened', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ends - now)
redis.call('ZADD', KEYS[2], ends, ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if ARGV[5] ~= '' then
  for _, id in ipairs(redis.call('SRANDMEMBER', KEYS[4], 4)) do
    if redis.call('EXISTS', ARGV[7] .. id) == 0 then redis.call('SREM', KEYS[4], id) end
  end
  redis.call('SADD', KEYS[4], ARGV[1])
  redis.call('PEXPIRE', KEYS[4], 604800000)
end
return 1
`,
  sha: "9f27bd9b2c2b7278e23661f90e7a675fcb0b6f58",
}

/** KEYS: session. Gives state, content and end. */
export const FIND: Script = {
  text: `return redis.call('HMGET', KEYS[1], 'state', 'content', 'ends')`,
  sha: "51bea8b5720204223778f842e187820901cba0df",
}

/** KEYS: key name. Gives the id and the end of the name. */
export const FIND_KEY: Script = {
  text: `return redis.call('GET', KEYS[1])`,
  sha: "d3c21d0c2b9ca22f82737626a27bcaf5d288f99f",
}

/** KEYS: session, ends. ARGV: id, now, its end. */
export const TOUCH: Script = {
  text: `
local now, ends = tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'state', 'ends')
if held[1] ~= 'open' or tonumber(held[2]) <= now then return 0 end
if ends > tonumber(held[2]) then
  redis.call('HSET', KEYS[1], 'ends', ends)
  redis.call('PEXPIRE', KEYS[1], ends - now)
  redis.call('ZADD', KEYS[2], ends, ARGV[1])
end
return 1
`,
  sha: "657a9e55f4b6c6cf7dc01a824dfc9bf5ddc7df2a",
}

/** KEYS: session, ends, offers. ARGV: id. */
export const END: Script = {
  text: `
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])
`,
  sha: "6231df2cc400903e9b823908e198fb3b21ee4412",
}

/** KEYS: the principal's, ends. ARGV: what session keys begin with. Gives how many were ended. */
export const END_ALL: Script = {
  text: `
local ended = 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  ended = ended + redis.call('DEL', ARGV[1] .. id)
  redis.call('ZREM', KEYS[2], id)
end
redis.call('DEL', KEYS[1])
return ended
`,
  sha: "dd3d86a82b0539a1451e554cdf67970883c6748d",
}

/** KEYS: ends, or the principal's. ARGV: what session keys begin with, now. Gives id, principal, opening and end, one after another. */
export const LIST: Script = {
  text: `
local isSet = redis.call('TYPE', KEYS[1]).ok == 'set'
local ids = isSet and redis.call('SMEMBERS', KEYS[1]) or redis.call('ZRANGE', KEYS[1], 0, -1)
local listed = {}
for _, id in ipairs(ids) do
  local held = redis.call('HMGET', ARGV[1] .. id, 'state', 'principal', 'opened', 'ends')
  if held[1] == 'open' and tonumber(held[4]) > tonumber(ARGV[2]) then
    for _, value in ipairs({id, held[2], held[3], held[4]}) do table.insert(listed, value) end
  elseif not held[1] and isSet then
    redis.call('SREM', KEYS[1], id)
  end
end
return listed
`,
  sha: "2078b536654c8a1c5f3d9088140101a902c56c28",
}

/** KEYS: ends, offers. ARGV: now. Gives how many are left. */
export const SWEEP: Script = {
  text: `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
return redis.call('ZCARD', KEYS[1])
`,
  sha: "09b4f600946f88ca408c784fb19a934a88a119c2",
}
