-- Check every precondition of one commit, then write all of it.
--
-- Scripts do not roll back, so the order is the atomicity: phase one only reads; phase two only writes what cannot
-- fail, because all keys have their types, all records could be read, and the user may run every command. From Redis
-- 7.0 on, a full memory refuses the script before it begins; before, it refuses what `may` tries out first.
--
-- KEYS: 1 outcome of this txid, 2 records, 3 guards, 4 keys, 5 unique, 6 index, 7 referrers, 8 holds (see hold.lua)
-- ARGV: seconds for which the outcome is kept; whose holds do not matter; then, each behind its count:
--       expected (key, stamp or ''), required (key), sealed (key, uid, guard), deletes (key), puts (key, value)
-- A value: 'uid version F U I J\n', then four parts of that many bytes, then the document. F: targets. U: unique
-- entries. I: index entries, each list joined by NUL. J: the rest of the record.
local outcome, records, guards, names, unique, index, referrers, holds =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]

local settled = redis.call('GET', outcome)
if settled == 'committed' then
  redis.call('EXPIRE', outcome, ARGV[1]) -- a write, so that WAIT behind it waits for the commit too
  return {'committed'}
end
if settled then return {'refused', 'fenced', '', ''} end

local at = 2
local function take()
  at = at + 1
  return ARGV[at]
end

local function parse(value)
  local uid, version, f, u, i, start = string.match(value, '^(%S+) (%d+) (%d+) (%d+) (%d+) %d+\n()')
  if not start then return nil end
  f, u, i = tonumber(f), tonumber(u), tonumber(i)
  return {
    stamp = uid .. ' ' .. version,
    uid = uid,
    f = string.sub(value, start, start + f - 1),
    u = string.sub(value, start + f, start + f + u - 1),
    i = string.sub(value, start + f + u, start + f + u + i - 1),
  }
end

local found, broken, touched = {}, nil, {}
local function record(key)
  touched[key] = true
  if found[key] == nil then
    local value = redis.call('HGET', records, key)
    found[key] = value and parse(value) or false
    if value and not found[key] then broken = key end
  end
  return found[key]
end

local refused = {'refused'}
local function refuse(kind, key, detail)
  refused[#refused + 1] = kind
  refused[#refused + 1] = key
  refused[#refused + 1] = detail
end

local function kind_of(key) return string.match(key, '^[^/]+') end

-- Phase one.

local wanted = {hash = {records, guards, unique, holds}, zset = {names, index, referrers}}
for kind, keys in pairs(wanted) do
  for _, key in ipairs(keys) do
    local is = redis.call('TYPE', key).ok
    if is ~= kind and is ~= 'none' then return redis.error_reply('EMCOTYPE ' .. key .. ' is a ' .. is) end
  end
end

for _ = 1, tonumber(take()) do
  local key, stamp = take(), take()
  local is = record(key)
  local has = is and is.stamp or ''
  if has ~= stamp then refuse('stale', key, has) end
end

local required, moved = {}, {}
for n = 1, tonumber(take()) do
  required[n] = take()
  if not record(required[n]) then refuse('missing', required[n], '') end
  moved[n] = tonumber(redis.call('HGET', guards, required[n]) or '0')
  if not moved[n] then broken = required[n] end
end

for _ = 1, tonumber(take()) do
  local key, uid, guard = take(), take(), take()
  local is = record(key)
  if not is or is.uid ~= uid or (redis.call('HGET', guards, key) or '0') ~= guard then refuse('moved', key, '') end
end

local deletes, puts, going = {}, {}, {}
for n = 1, tonumber(take()) do
  deletes[n] = take()
  record(deletes[n])
  going[deletes[n]] = true
end
for n = 1, tonumber(take()) do
  local key, value = take(), take()
  puts[n] = {key = key, value = value, parsed = parse(value)}
  record(key)
  going[key] = true
end

local claimed = {}
for _, put in ipairs(puts) do
  for entry in string.gmatch(put.parsed.u, '[^%z]+') do
    local claim = kind_of(put.key) .. '\0' .. entry
    local owner = redis.call('HGET', unique, claim)
    if owner and owner ~= put.key and not going[owner] then
      refuse('taken', put.key, entry .. '\0' .. owner)
    elseif claimed[claim] then
      refuse('taken', put.key, entry .. '\0' .. claimed[claim])
    end
    claimed[claim] = put.key
  end
end

local over = {}
if #deletes + #puts > 0 and redis.call('HLEN', holds) > 0 then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  for key in pairs(touched) do
    local until_ms, holder = string.match(redis.call('HGET', holds, key) or '', '^(%d+) (.*)$')
    local is_over = holder and tonumber(until_ms) <= now
    if holder and not is_over and holder ~= ARGV[2] then
      refuse('held', key, '')
    elseif holder and (is_over or going[key]) then
      over[#over + 1] = key
    end
  end
end

if broken then return redis.error_reply('EMCOVALUE ' .. broken .. ' holds what no store has written') end
if #refused > 1 then return refused end
if #deletes + #puts == 0 then return {'committed'} end

-- Ask for each command that follows, in forms that change nothing. A full memory refuses SET and HSET, unless the
-- script has written before, which is what a commit that only deletes makes use of on Redis 6.2.
local function may(...)
  if redis.acl_check_cmd then return redis.acl_check_cmd(...) and '' or 'NOPERM ' .. (...) end
  local reply = redis.pcall(...)
  local problem = type(reply) == 'table' and reply.err or ''
  for _, code in ipairs({'OOM', 'READONLY', 'NOREPLICAS', 'MISCONF'}) do
    if string.find(problem, code .. ' ', 1, true) then return code end
  end
  return string.find(problem, 'The user executing', 1, true) and 'NOPERM ' .. (...) or ''
end

local uses = {
  {'ZREM', names, ''}, {'ZREM', index, ''}, {'ZREM', referrers, ''},
  {'HDEL', records, ''}, {'HDEL', guards, ''}, {'HDEL', unique, ''}, {'HDEL', holds, ''},
  {'ZADD', names, 'XX', 0, ''}, {'ZADD', index, 'XX', 0, ''}, {'ZADD', referrers, 'XX', 0, ''},
  {'HSET', records, '', '', ''}, {'HSET', guards, '', '', ''}, {'HSET', unique, '', '', ''},
}
table.insert(uses, #puts > 0 and 1 or #uses + 1, {'SET', outcome, '', 'XX'})
for _, use in ipairs(uses) do
  local problem = may(unpack(use))
  if problem ~= '' then return redis.error_reply(problem) end
end

-- Phase two.

redis.call('SET', outcome, 'committed', 'EX', ARGV[1])

local function forget(key, is, but)
  if not but or but.f ~= is.f then
    for target in string.gmatch(is.f, '[^%z]+') do redis.call('ZREM', referrers, target .. '\0' .. key) end
  end
  for entry in string.gmatch(is.u, '[^%z]+') do redis.call('HDEL', unique, kind_of(key) .. '\0' .. entry) end
  if not but or but.i ~= is.i then
    for entry in string.gmatch(is.i, '[^%z]+') do
      redis.call('ZREM', index, kind_of(key) .. '\0' .. entry .. '\0' .. key)
    end
  end
end

for _, key in ipairs(over) do redis.call('HDEL', holds, key) end
for _, key in ipairs(deletes) do
  local is = record(key)
  if is then
    forget(key, is)
    redis.call('HDEL', records, key)
    redis.call('HDEL', guards, key)
    redis.call('ZREM', names, key)
  end
end
for _, put in ipairs(puts) do
  local is = record(put.key)
  if is then forget(put.key, is, put.parsed) end
end
for _, put in ipairs(puts) do
  local key, is, new = put.key, record(put.key), put.parsed
  redis.call('HSET', records, key, put.value)
  if not is then redis.call('ZADD', names, 0, key) end
  if not is or is.f ~= new.f then
    for target in string.gmatch(new.f, '[^%z]+') do redis.call('ZADD', referrers, 0, target .. '\0' .. key) end
  end
  for entry in string.gmatch(new.u, '[^%z]+') do redis.call('HSET', unique, kind_of(key) .. '\0' .. entry, key) end
  if not is or is.i ~= new.i then
    for entry in string.gmatch(new.i, '[^%z]+') do
      redis.call('ZADD', index, 0, kind_of(key) .. '\0' .. entry .. '\0' .. key)
    end
  end
end
for n, key in ipairs(required) do redis.call('HSET', guards, key, string.format('%.0f', moved[n] + 1)) end
return {'committed'}
