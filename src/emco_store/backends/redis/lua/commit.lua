-- Check every precondition of one commit, then write all of it.
--
-- Scripts do not roll back, so the order is the atomicity: phase one only reads; phase two only writes what cannot
-- fail, because all keys have their types, all records could be read, and the user may run each of its commands. From
-- Redis 7.0 on, a full memory refuses the script before it begins; before, it refuses what `may` tries out first.
--
-- KEYS: 1 records, 2 guards, 3 keys, 4 unique, 5 index, 6 referrers, 7 holds (see hold.lua), 8 feed (see events.lua),
--       9 outcome of this txid; where it may end pulses (see beat.lua): 10 pulses, 11 due, 12 beating
-- ARGV: until when the outcome is kept by the clock of its client, in seconds since 1970, 0 where it does not say;
--       whose holds do not matter; five counts; who makes it and why; its messages; then, as many as
--       the counts say:
--       expected (key, stamp or ''), required (key), sealed (key, uid, guard), deletes (key), puts (key, value); then, if
--       it rests on leases, how many are fenced, fenced (key, uid), silent (key, uid, number)
-- A value: 'uid version F U I E P created updated\n', then five parts of that many bytes, then the document. F: targets.
-- U: unique entries. I: index entries; each list joined by NUL. E: edges. P: unique and index entries, unescaped. Where
-- somebody has said who made the change, ' W' follows in the first line, and W bytes with that before the document.
local records, guards, names, unique, index, referrers, holds, feed, outcome, pulses, due, beating = unpack(KEYS)
local call, match, gmatch, sub, format = redis.call, string.match, string.gmatch, string.sub, string.format

-- Outcomes are kept for an hour; `commands.py` says so too. Whoever asks later judges the age of the commit by the time in its
-- txid: one from the future is remembered for longer.
local function kept()
  local left = ARGV[1] - redis.call('TIME')[1]
  return left > 3600 and left or '3600'
end

local settled = call('GET', outcome)
if settled == 'committed' then
  call('EXPIRE', outcome, kept()) -- a write, so that WAIT behind it waits for the commit too
  return {'committed'}
end
if settled then return {'refused', 'fenced', '', ''} end

-- What a value begins with: uid and version, F, U, I, and where its lists begin.
local HEAD = '^(%S+ %d+) (%d+) (%d+) (%d+) %d+ %d+ %d+ %d+ ?%d*\n()'

-- What phase one finds, and phase two writes: the leases whose pulses end, the holds that are over, the guards that move, what
-- will be gone and what will be new; what the feed tells, once a reader (see events.lua) or a commit with messages has begun
-- it: '-' for what goes, '+' for what is new, '=' for what changes; then its uid, its version and its key.
local nothing = {}
local ended, over, moved = nothing, nothing, nothing
local gone_names, gone_referrers, gone_unique, gone_index = nothing, nothing, nothing, nothing
local new_records, new_names, new_referrers, new_unique, new_index = nothing, nothing, nothing, nothing, nothing
local told, begins

-- Phase one, for one record that is new, or that keeps its lists, and has no unique values: most commits are no more. It makes
-- no functions and few tables, which cost as much as commands. Where anything speaks against the commit, it decides nothing.
local is_judged = false
repeat
  local count = tonumber(match(ARGV[3], '^1 (%d+) 0 0 1$'))
  if not count or ARGV[5] ~= '' or pulses or #ARGV ~= 9 + count or count >= 1000 then break end
  local key, value = ARGV[8 + count], ARGV[9 + count]
  local new, f, u, i, start = match(value, HEAD)
  local kind = call('TYPE', feed).ok
  if ARGV[6] ~= key or u ~= '0' or call('HLEN', holds) > 0 or (kind ~= 'none' and kind ~= 'stream') then break end
  local found = call('HMGET', records, unpack(ARGV, 8, 8 + count))
  local was = found[count + 1]
  if was then
    local stamp, old_f, old_u, old_i, begin = match(was, HEAD)
    if stamp ~= ARGV[7] or old_u ~= '0' or f ~= old_f or i ~= old_i
      or sub(value, start, start + f + i - 1) ~= sub(was, begin, begin + f + i - 1)
      or match(stamp, '^%S+') ~= match(new, '^%S+') then break end
  elseif ARGV[7] ~= '' or sub(value, start, start + f - 1) ~= table.concat(ARGV, '\0', 8, 7 + count) then
    break -- a new one requires all its targets
  end
  local is_whole, moving, referring = true, {}, {}
  if count > 0 then
    local guard, tail = call('HMGET', guards, unpack(ARGV, 8, 7 + count)), '\0' .. key
    for n = 1, count do
      local target, number = ARGV[7 + n], tonumber(guard[n] or 0)
      is_whole = is_whole and number and found[n] and match(found[n], HEAD)
      if not is_whole then break end
      moving[2 * n - 1], moving[2 * n] = target, format('%d', number + 1)
      if not was then referring[2 * n - 1], referring[2 * n] = '0', target .. tail end
    end
  else
    call('HLEN', guards)
  end
  if not is_whole then break end
  call('HLEN', unique)
  moved, new_records, new_referrers = moving, {key, value}, referring
  if not was then
    new_names = {'0', key}
    if i ~= '0' then
      local before, tail = match(key, '^[^/]+') .. '\0', '\0' .. key
      new_index = {}
      for entry in gmatch(sub(value, start + f, start + f + i - 1), '[^%z]+') do
        new_index[#new_index + 1] = '0'
        new_index[#new_index + 1] = before .. entry .. tail
      end
    end
  end
  told = kind == 'stream' and (was and '=' or '+') .. new .. ' ' .. key
  is_judged = true
until true

-- Phase one, for any commit.
if not is_judged then
  local broken -- what no store has written
  local refused = {'refused'}
  local function refuse(kind, key, detail)
    local n = #refused
    refused[n + 1], refused[n + 2], refused[n + 3] = kind, key, detail
  end

  local stamps, touched, going = {}, {}, {} -- of all records; their keys; what each that is put or deleted will hold
  local function touch(key)
    if stamps[key] == nil then
      stamps[key] = false
      touched[#touched + 1] = key
    end
  end

  local messages = ARGV[5]
  local counts = {match(ARGV[3], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')}
  local expected = 6
  local required = expected + 2 * counts[1]
  local sealed = required + counts[2]
  local deleted = sealed + 3 * counts[3]
  local put = deleted + counts[4]
  local last = put + 2 * counts[5] - 1
  local counted = {}
  for n = expected, required - 1, 2 do touch(ARGV[n]) end
  for n = required, sealed - 1 do
    counted[#counted + 1] = ARGV[n]
    touch(ARGV[n])
  end
  for n = sealed, deleted - 1, 3 do
    counted[#counted + 1] = ARGV[n]
    touch(ARGV[n])
  end
  for n = deleted, put - 1 do
    going[ARGV[n]] = {}
    touch(ARGV[n])
  end

  -- Give the lists of a value: of its targets, its unique and its indexed values; each nil where it is empty.
  local function lists(start, value, f, u, i)
    f, u, i = tonumber(f), tonumber(u), tonumber(i)
    local first = start + f
    return f > 0 and sub(value, start, first - 1) or nil, u > 0 and sub(value, first, first + u - 1) or nil,
      i > 0 and sub(value, first + u, first + u + i - 1) or nil
  end

  for n = put, last, 2 do
    local key, value = ARGV[n], ARGV[n + 1]
    local _, f, u, i, start = match(value, HEAD)
    f, u, i = lists(start, value, f, u, i)
    going[key] = {f = f, u = u, i = i}
    touch(key)
  end

  local named = #touched -- a fence hinders no hold, and no hold a fence
  local fenced = last + 2
  local silent = fenced + 2 * (ARGV[last + 1] or 0)
  for n = fenced, silent - 1, 2 do touch(ARGV[n]) end

  local old = {} -- the lists of what is put or deleted
  for first = 1, #touched, 16 do
    local values = call('HMGET', records, unpack(touched, first, math.min(first + 15, #touched)))
    for n = 1, #values do
      local value = values[n]
      if value then
        local key = touched[first + n - 1]
        local stamp, f, u, i, start = match(value, HEAD)
        if not stamp then
          broken = key
        else
          stamps[key] = stamp
          if going[key] then
            f, u, i = lists(start, value, f, u, i)
            old[key] = {f = f, u = u, i = i}
          end
        end
      end
    end
  end

  -- Read fields of a hash into a table, so many at once; without any, look at its type all the same.
  local function read(hash, fields)
    local found, count = {}, #fields
    if count == 0 then call('HLEN', hash) end
    for first = 1, count, 1000 do -- unpack() takes some thousand values at most
      local values = call('HMGET', hash, unpack(fields, first, math.min(first + 999, count)))
      for n = 1, #values do found[fields[first + n - 1]] = values[n] end
    end
    return found
  end

  local guard = read(guards, counted)

  for n = expected, required - 1, 2 do
    local has = stamps[ARGV[n]] or ''
    if has ~= ARGV[n + 1] then refuse('stale', ARGV[n], has) end
  end

  moved = {}
  for n = required, sealed - 1 do
    local key = ARGV[n]
    local count = tonumber(guard[key] or 0)
    if not stamps[key] then refuse('missing', key, '') end
    if count then
      moved[#moved + 1] = key
      moved[#moved + 1] = format('%d', count + 1)
    else
      broken = key
    end
  end

  for n = sealed, deleted - 1, 3 do
    local key = ARGV[n]
    local stamp = stamps[key]
    if not stamp or match(stamp, '^%S+') ~= ARGV[n + 1] or (guard[key] or '0') ~= ARGV[n + 2] then
      refuse('moved', key, '')
    end
  end

  for n = fenced, silent - 1, 2 do
    local stamp = stamps[ARGV[n]]
    if not stamp or match(stamp, '^%S+') ~= ARGV[n + 1] then refuse('lapsed', ARGV[n], '') end
  end

  ended = {} -- those that are silent, deleted, or replaced
  for n = silent, #ARGV, 3 do
    local number = match(call('HGET', pulses, ARGV[n + 1]) or '', '^%d+')
    if number and tonumber(number) > tonumber(ARGV[n + 2]) then refuse('alive', ARGV[n], '') end
    ended[#ended + 1] = ARGV[n + 1]
  end
  for n = pulses and deleted or put, put - 1 do
    if stamps[ARGV[n]] and sub(ARGV[n], 1, 12) == 'emco__Lease/' then ended[#ended + 1] = match(stamps[ARGV[n]], '^%S+') end
  end
  for n = put, pulses and last or put - 1, 2 do
    local uid = stamps[ARGV[n]] and sub(ARGV[n], 1, 12) == 'emco__Lease/' and match(stamps[ARGV[n]], '^%S+')
    if uid and uid ~= match(ARGV[n + 1], '^%S+') then ended[#ended + 1] = uid end
  end

  gone_names, gone_referrers, gone_unique, gone_index = {}, {}, {}, {}
  new_records, new_names, new_referrers, new_unique, new_index = {}, {}, {}, {}, {}

  local function kind_of(key) return match(key, '^[^/]+') end

  local function forget(key, was, is)
    if was.f and was.f ~= is.f then
      for target in gmatch(was.f, '[^%z]+') do gone_referrers[#gone_referrers + 1] = target .. '\0' .. key end
    end
    if was.u then
      local kind = kind_of(key) .. '\0'
      for entry in gmatch(was.u, '[^%z]+') do gone_unique[#gone_unique + 1] = kind .. entry end
    end
    if was.i and was.i ~= is.i then
      local kind, tail = kind_of(key) .. '\0', '\0' .. key
      for entry in gmatch(was.i, '[^%z]+') do gone_index[#gone_index + 1] = kind .. entry .. tail end
    end
  end

  for n = deleted, put - 1 do
    local key = ARGV[n]
    if old[key] then
      forget(key, old[key], going[key])
      gone_names[#gone_names + 1] = key
    end
  end

  for n = put, last, 2 do
    local key = ARGV[n]
    local is, was = going[key], old[key]
    new_records[#new_records + 1] = key
    new_records[#new_records + 1] = ARGV[n + 1]
    if was then
      forget(key, was, is)
    else
      new_names[#new_names + 1] = '0'
      new_names[#new_names + 1] = key
      was = nothing
    end
    if is.f and is.f ~= was.f then
      for target in gmatch(is.f, '[^%z]+') do
        new_referrers[#new_referrers + 1] = '0'
        new_referrers[#new_referrers + 1] = target .. '\0' .. key
      end
    end
    if is.u then
      local kind = kind_of(key) .. '\0'
      for entry in gmatch(is.u, '[^%z]+') do
        new_unique[#new_unique + 1] = kind .. entry
        new_unique[#new_unique + 1] = key
      end
    end
    if is.i and is.i ~= was.i then
      local kind, tail = kind_of(key) .. '\0', '\0' .. key
      for entry in gmatch(is.i, '[^%z]+') do
        new_index[#new_index + 1] = '0'
        new_index[#new_index + 1] = kind .. entry .. tail
      end
    end
  end

  local claims, claimed = {}, {}
  for n = 1, #new_unique, 2 do claims[#claims + 1] = new_unique[n] end
  local owners = read(unique, claims)
  for n = 1, #new_unique, 2 do
    local claim, key = new_unique[n], new_unique[n + 1]
    local owner = owners[claim]
    if owner and owner ~= key and not going[owner] then
      refuse('taken', key, match(claim, '%z(.*)$') .. '\0' .. owner)
    elseif claimed[claim] then
      refuse('taken', key, match(claim, '%z(.*)$') .. '\0' .. claimed[claim])
    end
    claimed[claim] = key
  end

  over = {}
  local is_writing = next(going) or messages ~= ''
  if call('HLEN', holds) > 0 and is_writing then
    local time = call('TIME')
    local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    local held = read(holds, touched)
    for n = 1, named do
      local key = touched[n]
      local until_ms, holder = match(held[key] or '', '^(%d+) (.*)$')
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
  if not is_writing and #ended == 0 then return {'committed'} end

  if is_writing then
    local kind = call('TYPE', feed).ok
    begins = kind == 'none' and messages ~= ''
    if kind == 'stream' or begins then
      local changes = {}
      local function tell(action, stamp, key) changes[#changes + 1] = action .. stamp .. ' ' .. key end
      for n = deleted, put - 1 do
        if stamps[ARGV[n]] then tell('-', stamps[ARGV[n]], ARGV[n]) end
      end
      local is_same = {}
      for n = put, last, 2 do
        local key, stamp = ARGV[n], stamps[ARGV[n]]
        is_same[key] = stamp and match(stamp, '^%S+') == match(ARGV[n + 1], '^%S+')
        if stamp and not is_same[key] then tell('-', stamp, key) end
      end
      for n = put, last, 2 do tell(is_same[ARGV[n]] and '=' or '+', match(ARGV[n + 1], '^%S+ %d+'), ARGV[n]) end
      told = table.concat(changes, '\0')
    elseif kind ~= 'none' then
      return redis.error_reply('EMCOVALUE ' .. feed .. ' holds what no store has written')
    end
  end
end

-- Refuse what may not be written: ask for each command that follows, by one that changes nothing, since no key, target or
-- claim is empty. ZREM tells the types of the keys that were not read, too. On Redis 6.2 a full memory refuses SET and HSET,
-- unless the script has written before, which is what a commit that only deletes makes use of.
local grows, deletes, moves, frees = #new_records > 0 or ARGV[5] ~= '', #gone_names > 0, #moved > 0, #over > 0
local refers, indexes, stops = #new_referrers > 0, #new_index > 0, #ended > 0
local claims = #gone_unique + #new_unique > 0
local can = redis.acl_check_cmd
if can then
  if not (can('SET', outcome, '', 'XX') and can('HSET', records, '', '') and can('HDEL', records, '')
    and can('ZADD', names, '0', '') and (not deletes or can('HDEL', guards, ''))
    and (not moves or can('HSET', guards, '', '')) and (not frees or can('HDEL', holds, ''))
    and (not refers or can('ZADD', referrers, '0', '')) and (not indexes or can('ZADD', index, '0', ''))
    and (not claims or (can('HDEL', unique, '') and can('HSET', unique, '', '')))
    and (not told or can('XADD', feed, '*', 't', ''))
    and (not stops or (can('HDEL', pulses, '') and can('ZREM', due, '') and can('ZREM', beating, ''))))
  then return redis.error_reply('NOPERM') end
  call('ZREM', names, '')
  call('ZREM', index, '')
  call('ZREM', referrers, '')
  if stops then
    call('HDEL', pulses, '')
    call('ZREM', due, '')
    call('ZREM', beating, '')
  end
else
  local broken -- why nothing may be written
  local function may(...)
    local reply = redis.pcall(...)
    local problem = type(reply) == 'table' and reply.err
    if not problem or string.find(problem, 'wrong number', 1, true) then return true end
    for _, code in ipairs({'OOM', 'READONLY', 'NOREPLICAS', 'MISCONF', 'WRONGTYPE'}) do
      if string.find(problem, code .. ' ', 1, true) then
        broken = code
        return false
      end
    end
    broken = string.find(problem, 'The user executing', 1, true) and 'NOPERM' or nil
    return not broken
  end
  if not ((not grows or may('SET', outcome, '', 'XX'))
    and may('ZREM', names, '') and may('ZREM', index, '') and may('ZREM', referrers, '')
    and may('HDEL', records, '') and (not deletes or may('HDEL', guards, ''))
    and (not frees or may('HDEL', holds, '')) and (not claims or may('HDEL', unique, ''))
    and may('ZADD', names, 'XX', 0, '') and (not refers or may('ZADD', referrers, 'XX', 0, ''))
    and (not indexes or may('ZADD', index, 'XX', 0, ''))
    and may('HSET', records, '', '', '') and (not moves or may('HSET', guards, '', '', ''))
    and (not claims or may('HSET', unique, '', '', '')) and (grows or may('SET', outcome, '', 'XX'))
    and (not stops or (may('HDEL', pulses, '') and may('ZREM', due, '') and may('ZREM', beating, '')))
    and (not told or may('XADD', feed, '0-0', 't', ''))) -- an id that every stream refuses
  then return redis.error_reply(broken) end
end

-- Phase two.

local function write(command, key, values, step)
  for first = 1, #values, step do call(command, key, unpack(values, first, math.min(first + step - 1, #values))) end
end

if told then -- before all else, since a stream that somebody has tampered with may take no more entries
  local txid = match(outcome, '^{[^}]*}:tx:(.*)$')
  if begins then call('XADD', feed, '*', 't', 'begun-' .. txid) end
  local event = {'t', txid, 'o', ARGV[4], 'c', told, 'm', ARGV[5]}
  local added = redis.pcall('XADD', feed, 'MAXLEN', '~', 100000, '*', unpack(event, 1, ARGV[5] ~= '' and 8 or 6))
  if type(added) == 'table' and added.err then return redis.error_reply('EMCOVALUE ' .. feed .. ' takes no more events') end
end
if stops then
  write('HDEL', pulses, ended, 1000)
  write('ZREM', due, ended, 1000)
  write('ZREM', beating, ended, 1000)
end
call('SET', outcome, 'committed', 'EX', kept())
if frees then write('HDEL', holds, over, 1000) end
if gone_names ~= nothing then
  write('HDEL', records, gone_names, 1000)
  write('HDEL', guards, gone_names, 1000)
  write('ZREM', names, gone_names, 1000)
  write('ZREM', referrers, gone_referrers, 1000)
  write('HDEL', unique, gone_unique, 1000)
  write('ZREM', index, gone_index, 1000)
end
write('HSET', records, new_records, 32)
if #new_names > 0 then write('ZADD', names, new_names, 1000) end
if refers then write('ZADD', referrers, new_referrers, 1000) end
if #new_unique > 0 then write('HSET', unique, new_unique, 1000) end
if indexes then write('ZADD', index, new_index, 1000) end
if moves then write('HSET', guards, moved, 1000) end
return {'committed'}
