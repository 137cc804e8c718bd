-- Answer one read, as of one moment: by order, or against the direction of references.
--
-- KEYS: 1 records, 2 guards, 3 keys, 4 index, 5 referrers, 6 nothing
-- ARGV: count of keys to load, these keys; then
--       'names' or 'index': low, high, descending ('1' or ''), limit, prefix that a key must begin with, or
--       'referrers': limit, after, targets; or, without keys to load,
--       'count': 'names' or 'index', low, high
-- Reply: to a count, a number; else values and guards of the loaded keys, nil where there is none; then keys, values and guards of what was found;
--        then the member or key after which the next page begins, empty if nothing follows.
local records, guards, names, index, referrers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

if not redis.acl_check_cmd then redis.call('DEL', KEYS[6]) end -- see get.lua

local function fields(hash, keys)
  local found = {}
  for first = 1, #keys, 1000 do -- unpack() takes some thousand values at most
    for _, value in ipairs(redis.call('HMGET', hash, unpack(keys, first, math.min(first + 999, #keys)))) do
      found[#found + 1] = value
    end
  end
  return found
end

if ARGV[2] == 'count' then
  return redis.call('ZLEXCOUNT', ARGV[3] == 'names' and names or index, ARGV[4], ARGV[5])
end

local load = {}
for n = 1, tonumber(ARGV[1]) do load[n] = ARGV[1 + n] end
local at = 2 + #load
local how = ARGV[at]
local keys, values, last = {}, {}, ''

if how == 'names' or how == 'index' then
  local low, high, descending, limit, prefix = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4]), ARGV[at + 5]
  local set = how == 'names' and names or index
  local offset, step = 0, limit
  while #keys < limit do
    local batch
    if descending == '1' then
      batch = redis.call('ZREVRANGEBYLEX', set, high, low, 'LIMIT', offset, step)
    else
      batch = redis.call('ZRANGEBYLEX', set, low, high, 'LIMIT', offset, step)
    end
    local wanted, members = {}, {}
    for _, member in ipairs(batch) do
      local key = how == 'names' and member or string.match(member, '.*%z(.*)')
      if key and (prefix == '' or string.sub(key, 1, #prefix) == prefix) then
        wanted[#wanted + 1], members[#wanted + 1] = key, member
      end
    end
    local found = fields(records, wanted)
    local is_whole = #keys == 0
    for n = 1, #wanted do is_whole = is_whole and found[n] end
    if is_whole then
      keys, values, last = wanted, found, members[#members] or ''
    else -- an entry without a record takes up no place
      for n = 1, #wanted do
        if found[n] and #keys < limit then
          keys[#keys + 1] = wanted[n]
          values[#values + 1] = found[n]
          last = members[n]
        end
      end
    end
    if #batch < step then break end
    offset = offset + step
  end
  if #keys < limit then last = '' end
elseif how == 'referrers' then
  local limit, after = tonumber(ARGV[at + 1]), ARGV[at + 2]
  local found = {} -- the values by key
  for n = at + 3, #ARGV do
    local low, high = '(' .. ARGV[n] .. '\0' .. after, '(' .. ARGV[n] .. '\1'
    local offset, count = 0, 0
    while count < limit do
      local batch = redis.call('ZRANGEBYLEX', referrers, low, high, 'LIMIT', offset, limit)
      for m, member in ipairs(batch) do batch[m] = string.match(member, '.*%z(.*)') end
      for m, value in ipairs(fields(records, batch)) do
        if value then
          count = count + 1
          if not found[batch[m]] then keys[#keys + 1] = batch[m] end
          found[batch[m]] = value
        end
      end
      if #batch < limit then break end
      offset = offset + limit
    end
  end
  table.sort(keys)
  for n = #keys, limit + 1, -1 do keys[n] = nil end
  for n = 1, #keys do values[n] = found[keys[n]] end
  if #keys == limit then last = keys[limit] end
end

return {fields(records, load), fields(guards, load), keys, values, fields(guards, keys), last}
