-- Look at the next few entries of one kind, and compare them with the records, as of one moment; writes nothing.
--
-- KEYS: 1 records, 2 guards, 3 keys, 4 unique, 5 index, 6 referrers, 7 holds, 8 pulses, 9 due, 10 beating, 11 nothing
-- ARGV: stage, position ('' for its beginning), entries to look at, bytes of records to look at,
--       what the keys of outcomes begin with, microseconds after which a pulse that is due has been left behind
-- Reply: position behind the last entry ('' at the end of the stage); entries looked at; records (key, value, guard);
--        targets that are not there; flaws (what, key, stage or detail, member)
-- Outcomes are found with SCAN, so they alone are read without having been declared; they are in the same slot.
local records, guards, names, unique, index, referrers, holds, pulses, due, beating = unpack(KEYS)
local stage, position, limit, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

if not redis.acl_check_cmd then redis.call('DEL', KEYS[11]) end -- see get.lua
local entries, bytes = 0, 0
local given, absent, seen, flaws = {}, {}, {}, {}

local function flaw(what, key, detail, member)
  for _, part in ipairs({what, key, detail, member}) do flaws[#flaws + 1] = part end
end

local function kind_of(key) return string.match(key, '^[^/]*') end

local function holds_entry(list, entry) return string.find('\0' .. list .. '\0', '\0' .. entry .. '\0', 1, true) end

local function parse(value)
  local f, u, i, start = string.match(value, '^%S+ %d+ (%d+) (%d+) (%d+) %d+ %d+ %d+ %d+ ?%d*\n()')
  if not start then return nil end
  f, u, i = tonumber(f), tonumber(u), tonumber(i)
  return {
    f = string.sub(value, start, start + f - 1),
    u = string.sub(value, start + f, start + f + u - 1),
    i = string.sub(value, start + f + u, start + f + u + i - 1),
  }
end

local found = {}
local function record(key)
  if found[key] == nil then
    local value = redis.call('HGET', records, key)
    bytes = bytes + (value and #value or 0)
    found[key] = value and (parse(value) or 'unreadable') or false
  end
  return found[key]
end

local function owns(key, kind, list, entry)
  local is = record(key)
  if is == 'unreadable' then return true end -- it cannot be judged, and is told by itself
  return is and (not kind or kind_of(key) == kind) and holds_entry(is[list], entry)
end

local function examine(key, value)
  local is = parse(value)
  if not is then return flaw('unreadable', key, redis.sha1hex(value), '') end
  for target in string.gmatch(is.f, '[^%z]+') do
    local member = target .. '\0' .. key
    if not redis.call('ZSCORE', referrers, member) then flaw('missing', key, 'referrers', member) end
    if not seen[target] and redis.call('HEXISTS', records, target) == 0 then absent[#absent + 1] = target end
    seen[target] = true
  end
  for entry in string.gmatch(is.u, '[^%z]+') do
    local claim = kind_of(key) .. '\0' .. entry
    local owner = redis.call('HGET', unique, claim)
    if owner and owner ~= key and record(owner) and owns(owner, kind_of(key), 'u', entry) then
      flaw('duplicate', key, entry, owner)
    elseif owner ~= key then
      flaw('missing', key, 'unique', claim)
    end
  end
  for entry in string.gmatch(is.i, '[^%z]+') do
    local member = kind_of(key) .. '\0' .. entry .. '\0' .. key
    if not redis.call('ZSCORE', index, member) then flaw('missing', key, 'index', member) end
  end
  local uid = string.match(key, '^emco__Lease/') and string.match(value, '^%S+')
  if uid and redis.call('HEXISTS', pulses, uid) == 0 then flaw('missing', key, 'pulses', uid) end
  local guard = redis.call('HGET', guards, key) or '0'
  given[#given + 1] = key
  given[#given + 1] = value
  given[#given + 1] = string.match(guard, '^%d+$') or '0'
end

local look = {}

function look.keys(key)
  local value = redis.call('HGET', records, key)
  bytes = bytes + (value and #value or 0)
  if value then examine(key, value) else flaw('stray', key, 'keys', key) end
end

function look.records(key, value)
  bytes = bytes + #value
  if redis.call('ZSCORE', names, key) then return end
  flaw('missing', key, 'keys', key)
  examine(key, value)
end

function look.index(member)
  local kind, entry, key = string.match(member, '^([^%z]*)%z([^%z]*)%z([^%z]*)$')
  if not key or not owns(key, kind, 'i', entry) then flaw('stray', key or '', 'index', member) end
end

function look.referrers(member)
  local target, key = string.match(member, '^([^%z]*)%z([^%z]*)$')
  if not key or not owns(key, nil, 'f', target) then flaw('stray', key or '', 'referrers', member) end
end

function look.unique(claim, owner)
  local kind, entry = string.match(claim, '^([^%z]*)%z([^%z]*)$')
  if not entry or not owns(owner, kind, 'u', entry) then flaw('stray', owner, 'unique', claim) end
end

function look.guards(key, guard)
  if redis.call('HEXISTS', records, key) == 0 then
    flaw('stray', key, 'guards', key)
  elseif not string.match(guard, '^%d+$') then
    flaw('guard', key, guard, key)
  end
end

function look.holds(key, hold)
  local time = redis.call('TIME')
  local until_ms = string.match(hold, '^(%d+) ')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  flaw('hold', key, until_ms and string.format('%.0f', tonumber(until_ms) - now) or '', key)
end

function look.pulses(uid, value)
  local ttl, at, key = string.match(value, '^%d+ (-?%d+) (%d+)\n([^\n]*)\n')
  if not key then return flaw('pulse', uid, '', uid) end
  local time = redis.call('TIME')
  local lease = redis.call('HGET', records, key)
  local is_left = time[1] * 1000000 + time[2] > at + ttl + ARGV[6]
  if is_left and not (lease and string.match(lease, '^%S+') == uid) then flaw('stray', key, 'pulses', uid) end
  local score = redis.call('ZSCORE', due, uid)
  if not score or tonumber(score) ~= at + ttl then flaw('missing', key, 'due', uid) end
  if not redis.call('ZSCORE', beating, uid) then flaw('missing', key, 'beating', uid) end
end

function look.due(uid)
  if redis.call('HEXISTS', pulses, uid) == 0 then flaw('stray', '', stage, uid) end
end

look.beating = look.due

function look.outcomes(key)
  if redis.call('TTL', key) == -1 then flaw('outcome', key, 'outcomes', key) end
end

local function is_enough() return entries >= limit or bytes >= most end

local function walk(set)
  local low, last = position == '' and '-' or '(' .. position, nil
  for _, member in ipairs(redis.call('ZRANGEBYLEX', set, low, '+', 'LIMIT', 0, limit)) do
    look[stage](member)
    entries, last = entries + 1, member
    if is_enough() then return last end
  end
  return ''
end

-- Few at a time, because a step gives the values too; a small hash comes whole.
local function scan(hash, command)
  local cursor = position == '' and '0' or position
  repeat
    local reply = redis.call(command or 'HSCAN', hash, cursor, 'COUNT', math.min(limit, 10))
    cursor = reply[1]
    for n = 1, #reply[2], 2 do
      look[stage](reply[2][n], reply[2][n + 1])
      entries = entries + 1
    end
  until cursor == '0' or is_enough()
  return cursor == '0' and '' or cursor
end

local function scan_outcomes() -- among all keys of the server, so in steps of their number and not of what is found
  local reply = redis.call('SCAN', position == '' and '0' or position, 'MATCH', ARGV[5] .. '*', 'COUNT', 1000)
  for _, key in ipairs(reply[2]) do
    look.outcomes(key)
    entries = entries + 1
  end
  return reply[1] == '0' and '' or reply[1]
end

local ends = ''
if stage == 'keys' then ends = walk(names)
elseif stage == 'index' then ends = walk(index)
elseif stage == 'referrers' then ends = walk(referrers)
elseif stage == 'beating' then ends = walk(beating)
elseif stage == 'due' then ends = scan(due, 'ZSCAN')
elseif stage == 'outcomes' then ends = scan_outcomes()
else ends = scan(({records = records, unique = unique, guards = guards, holds = holds, pulses = pulses})[stage]) end

return {ends, entries, given, absent, flaws}
