-- Check every precondition of one commit, then write all of it.
--
-- Scripts do not roll back, so the order is the atomicity: phase one only reads; phase two only writes what cannot
-- fail, because all keys have their types, all records could be read, and the user may run every command. From Redis
-- 7.0 on, a full memory refuses the script before it begins; before, it refuses what `may` tries out first.
--
-- KEYS: 1 records, 2 guards, 3 keys, 4 unique, 5 index, 6 referrers, 7 holds (see hold.lua), 8 outcome of this txid
-- ARGV: seconds for which the outcome is kept; whose holds do not matter; five counts; then, as many as these say:
--       expected (key, stamp or ''), required (key), sealed (key, uid, guard), deletes (key), puts (key, value)
-- A value: 'uid version F U I J\n', then four parts of that many bytes, then the document. F: targets. U: unique
-- entries. I: index entries, each list joined by NUL. J: the rest of the record.
local records, guards, names, unique, index, referrers, holds, outcome = unpack(KEYS)
local call, match, sub = redis.call, string.match, string.sub

local settled = call('GET', outcome)
if settled == 'committed' then
  call('EXPIRE', outcome, ARGV[1]) -- a write, so that WAIT behind it waits for the commit too
  return {'committed'}
end
if settled then return {'refused', 'fenced', '', ''} end

local function kind_of(key) return match(key, '^[^/]+') end

local function parse(value)
  local stamp, f, u, i, start = match(value, '^(%S+ %d+) (%d+) (%d+) (%d+) %d+\n()')
  if not start then return nil end
  local first_u = start + f
  local first_i = first_u + u
  return {
    stamp = stamp,
    f = sub(value, start, first_u - 1),
    u = sub(value, first_u, first_i - 1),
    i = sub(value, first_i, first_i + i - 1),
  }
end

-- Read fields of a hash, so many at once; without any, look at its type all the same.
local function read(hash, fields, step, each)
  if #fields == 0 then call('HLEN', hash) end
  for first = 1, #fields, step do
    local last = math.min(first + step - 1, #fields)
    for n, value in ipairs(call('HMGET', hash, unpack(fields, first, last))) do each(fields[first + n - 1], value) end
  end
end

-- Many fields or members go with one command; 1000 because unpack() takes some thousand values at most.
local function write(command, key, values)
  for first = 1, #values, 1000 do
    call(command, key, unpack(values, first, math.min(first + 999, #values)))
  end
end

local refused = {'refused'}
local function refuse(kind, key, detail)
  local n = #refused
  refused[n + 1], refused[n + 2], refused[n + 3] = kind, key, detail
end

-- Phase one.

for _, key in ipairs({names, index, referrers}) do -- reading the others tells their types
  local is = call('TYPE', key).ok
  if is ~= 'zset' and is ~= 'none' then return redis.error_reply('EMCOTYPE ' .. key .. ' is a ' .. is) end
end

local touched, found, broken = {}, {}, nil
local function touch(key)
  if found[key] == nil then
    found[key] = false
    touched[#touched + 1] = key
  end
  return key
end

local expected = 8
local required = expected + 2 * ARGV[3]
local sealed = required + ARGV[4]
local deleted = sealed + 3 * ARGV[5]
local put = deleted + ARGV[6]
local last = put + 2 * ARGV[7] - 1
local counted, deletes, puts, going = {}, {}, {}, {}
for n = expected, required - 1, 2 do touch(ARGV[n]) end
for n = required, sealed - 1 do counted[#counted + 1] = touch(ARGV[n]) end
for n = sealed, deleted - 1, 3 do counted[#counted + 1] = touch(ARGV[n]) end
for n = deleted, put - 1 do
  deletes[#deletes + 1] = touch(ARGV[n])
  going[ARGV[n]] = true
end
for n = put, last, 2 do
  local new = parse(ARGV[n + 1])
  new.key, new.value = touch(ARGV[n]), ARGV[n + 1]
  puts[#puts + 1] = new
  going[new.key] = true
end

read(records, touched, 16, function(key, value)
  if not value then return end
  found[key] = parse(value) or false
  if not found[key] then broken = key end
end)
local guard = {}
read(guards, counted, 1000, function(key, value) guard[key] = value or '0' end)

for n = expected, required - 1, 2 do
  local is = found[ARGV[n]]
  local has = is and is.stamp or ''
  if has ~= ARGV[n + 1] then refuse('stale', ARGV[n], has) end
end

local moved = {}
for n = required, sealed - 1 do
  local key = ARGV[n]
  local count = tonumber(guard[key])
  if not found[key] then refuse('missing', key, '') end
  if not count then
    broken = key
  else
    moved[#moved + 1] = key
    moved[#moved + 1] = string.format('%.0f', count + 1)
  end
end

for n = sealed, deleted - 1, 3 do
  local key = ARGV[n]
  local is = found[key]
  if not is or match(is.stamp, '^%S+') ~= ARGV[n + 1] or guard[key] ~= ARGV[n + 2] then refuse('moved', key, '') end
end

local claims, owners, claimed = {}, {}, {}
for _, new in ipairs(puts) do
  for entry in string.gmatch(new.u, '[^%z]+') do claims[#claims + 1] = kind_of(new.key) .. '\0' .. entry end
end
read(unique, claims, 1000, function(claim, owner) owners[claim] = owner end)
if #claims > 0 then
  for _, new in ipairs(puts) do
    for entry in string.gmatch(new.u, '[^%z]+') do
      local claim = kind_of(new.key) .. '\0' .. entry
      local owner = owners[claim]
      if owner and owner ~= new.key and not going[owner] then
        refuse('taken', new.key, entry .. '\0' .. owner)
      elseif claimed[claim] then
        refuse('taken', new.key, entry .. '\0' .. claimed[claim])
      end
      claimed[claim] = new.key
    end
  end
end

local over = {}
if call('HLEN', holds) > 0 and #deletes + #puts > 0 then
  local time = call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  read(holds, touched, 1000, function(key, value)
    local until_ms, holder = match(value or '', '^(%d+) (.*)$')
    local is_over = holder and tonumber(until_ms) <= now
    if holder and not is_over and holder ~= ARGV[2] then
      refuse('held', key, '')
    elseif holder and (is_over or going[key]) then
      over[#over + 1] = key
    end
  end)
end

if broken then return redis.error_reply('EMCOVALUE ' .. broken .. ' holds what no store has written') end
if #refused > 1 then return refused end
if #deletes + #puts == 0 then return {'committed'} end

-- Ask for each command that follows. Redis 6.2 is asked in forms that change nothing. There, a full memory refuses SET
-- and HSET, unless the script has written before, which is what a commit that only deletes makes use of.
local function may(...)
  local reply = redis.pcall(...)
  local problem = type(reply) == 'table' and reply.err or ''
  for _, code in ipairs({'OOM', 'READONLY', 'NOREPLICAS', 'MISCONF'}) do
    if string.find(problem, code .. ' ', 1, true) then return code end
  end
  return string.find(problem, 'The user executing', 1, true) and 'NOPERM ' .. (...) or ''
end

local function denied()
  local can = redis.acl_check_cmd
  if not can('SET', outcome, '', 'XX') then return 'SET' end
  for n = 1, 6 do
    local key = KEYS[n]
    if key == names or key == index or key == referrers then
      if not can('ZREM', key, '') then return 'ZREM' end
      if not can('ZADD', key, 0, '') then return 'ZADD' end
    else
      if not can('HDEL', key, '') then return 'HDEL' end
      if not can('HSET', key, '', '') then return 'HSET' end
    end
  end
  return not can('HDEL', holds, '') and 'HDEL'
end

if redis.acl_check_cmd then
  local command = denied()
  if command then return redis.error_reply('NOPERM ' .. command) end
else
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
end

-- Phase two.

call('SET', outcome, 'committed', 'EX', ARGV[1])

local gone_names, gone_referrers, gone_unique, gone_index = {}, {}, {}, {}
local function forget(key, is, but)
  if not but or but.f ~= is.f then
    for target in string.gmatch(is.f, '[^%z]+') do gone_referrers[#gone_referrers + 1] = target .. '\0' .. key end
  end
  for entry in string.gmatch(is.u, '[^%z]+') do gone_unique[#gone_unique + 1] = kind_of(key) .. '\0' .. entry end
  if not but or but.i ~= is.i then
    for entry in string.gmatch(is.i, '[^%z]+') do
      gone_index[#gone_index + 1] = kind_of(key) .. '\0' .. entry .. '\0' .. key
    end
  end
end

for _, key in ipairs(deletes) do
  if found[key] then
    forget(key, found[key])
    gone_names[#gone_names + 1] = key
  end
end
for _, new in ipairs(puts) do
  if found[new.key] then forget(new.key, found[new.key], new) end
end
write('HDEL', holds, over)
write('HDEL', records, gone_names)
write('HDEL', guards, gone_names)
write('ZREM', names, gone_names)
write('ZREM', referrers, gone_referrers)
write('HDEL', unique, gone_unique)
write('ZREM', index, gone_index)

local new_names, new_referrers, new_unique, new_index = {}, {}, {}, {}
local function add(to, first, second)
  local n = #to
  to[n + 1], to[n + 2] = first, second
end
for _, new in ipairs(puts) do
  local key, is = new.key, found[new.key]
  call('HSET', records, key, new.value)
  if not is then add(new_names, 0, key) end
  if not is or is.f ~= new.f then
    for target in string.gmatch(new.f, '[^%z]+') do add(new_referrers, 0, target .. '\0' .. key) end
  end
  for entry in string.gmatch(new.u, '[^%z]+') do add(new_unique, kind_of(key) .. '\0' .. entry, key) end
  if not is or is.i ~= new.i then
    for entry in string.gmatch(new.i, '[^%z]+') do
      add(new_index, 0, kind_of(key) .. '\0' .. entry .. '\0' .. key)
    end
  end
end
write('ZADD', names, new_names)
write('ZADD', referrers, new_referrers)
write('HSET', unique, new_unique)
write('ZADD', index, new_index)
write('HSET', guards, moved)
return {'committed'}
