-- Make entries fit the records as they are by now: each by itself, and nothing where nothing is wrong any more.
--
-- KEYS: 1 records, 2 guards, 3 keys, 4 unique, 5 index, 6 referrers, 7 holds, 8 pulses, 9 due, 10 beating
-- ARGV: seconds for which outcomes are kept, milliseconds for which a hold lasts at most, what the keys of outcomes begin
--       with, microseconds after which a pulse that is due has been left behind, the TTL of a pulse that is made here, in
--       microseconds; then stage, member and key of each entry
--       (the digest of the value in the place of the key, where an unreadable record is to go)
local records, guards, names, unique, index, referrers, holds, pulses, due, beating = unpack(KEYS)
local kept_s, longest_ms, outcome = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local function kind_of(key) return string.match(key, '^[^/]*') end

local function owns(key, kind, part, entry)
  local value = key and redis.call('HGET', records, key)
  local f, u, i, start = string.match(value or '', '^%S+ %d+ (%d+) (%d+) (%d+) %d+ %d+ %d+ %d+ ?%d*\n()')
  if not start or (kind and kind_of(key) ~= kind) then return false end
  f, u, i = tonumber(f), tonumber(u), tonumber(i)
  local first = start + (part == 'f' and 0 or part == 'u' and f or f + u)
  local last = first + (part == 'f' and f or part == 'u' and u or i) - 1
  return string.find('\0' .. string.sub(value, first, last) .. '\0', '\0' .. entry .. '\0', 1, true) and true
end

local mend = {}

function mend.keys(member)
  if redis.call('HEXISTS', records, member) == 1 then
    redis.call('ZADD', names, 0, member)
  else
    redis.call('ZREM', names, member)
  end
end

function mend.index(member)
  local kind, entry, key = string.match(member, '^([^%z]*)%z([^%z]*)%z([^%z]*)$')
  if owns(key, kind, 'i', entry) then
    redis.call('ZADD', index, 0, member)
  else
    redis.call('ZREM', index, member)
  end
end

-- The guard of the target moves, as for a new reference: a delete that has not seen this referrer is refused.
function mend.referrers(member)
  local target, key = string.match(member, '^([^%z]*)%z([^%z]*)$')
  if not owns(key, nil, 'f', target) then return redis.call('ZREM', referrers, member) end
  local is_new = redis.call('ZADD', referrers, 0, member) == 1
  local guard = tonumber(redis.call('HGET', guards, target) or '0')
  if is_new and guard and redis.call('HEXISTS', records, target) == 1 then
    redis.call('HSET', guards, target, string.format('%.0f', guard + 1))
  end
end

function mend.unique(claim, key)
  local kind, entry = string.match(claim, '^([^%z]*)%z([^%z]*)$')
  local owner = redis.call('HGET', unique, claim)
  if owner and entry and owns(owner, kind, 'u', entry) then return end
  if entry and owns(key, kind, 'u', entry) then
    redis.call('HSET', unique, claim, key)
  else
    redis.call('HDEL', unique, claim)
  end
end

-- A guard that cannot be read becomes one that nobody can have seen.
function mend.guards(key)
  if redis.call('HEXISTS', records, key) == 0 then
    redis.call('HDEL', guards, key)
  elseif not string.match(redis.call('HGET', guards, key) or '0', '^%d+$') then
    redis.call('HSET', guards, key, redis.call('TIME')[1])
  end
end

function mend.holds(key)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local until_ms = tonumber(string.match(redis.call('HGET', holds, key) or '', '^(%d+) '))
  if not until_ms or until_ms > now + longest_ms then redis.call('HDEL', holds, key) end
end

-- A lease without a pulse gets one: its holder beats on, or it becomes due. One that is left behind goes, with its entries.
function mend.pulses(uid, key)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local ttl, at, of = string.match(redis.call('HGET', pulses, uid) or '', '^%d+ (-?%d+) (%d+)\n([^\n]*)\n')
  local lease = redis.call('HGET', records, of or key)
  local is_there = lease and string.match(lease, '^%S+') == uid
  if is_there and not of then
    ttl, at, of = ARGV[5], string.format('%.0f', now), key
    redis.call('HSET', pulses, uid, '1 ' .. ttl .. ' ' .. at .. '\n' .. key .. '\n')
  end
  if not of or (not is_there and now > at + ttl + ARGV[4]) then
    redis.call('HDEL', pulses, uid)
    redis.call('ZREM', due, uid)
    redis.call('ZREM', beating, uid)
  else
    redis.call('ZADD', due, string.format('%.0f', at + ttl), uid)
    redis.call('ZADD', beating, 0, uid)
  end
end

mend.due, mend.beating = mend.pulses, mend.pulses

function mend.outcomes(key)
  if string.sub(key, 1, #outcome) == outcome and redis.call('TTL', key) == -1 then
    redis.call('EXPIRE', key, kept_s)
  end
end

function mend.records(key, digest)
  local value = redis.call('HGET', records, key)
  if not value or redis.sha1hex(value) ~= digest then return end
  redis.call('ZREM', names, key)
  redis.call('HDEL', guards, key)
  redis.call('HDEL', holds, key)
  redis.call('HDEL', records, key)
end

for n = 6, #ARGV, 3 do mend[ARGV[n]](ARGV[n + 1], ARGV[n + 2]) end
return 'OK'
