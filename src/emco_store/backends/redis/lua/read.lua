-- Answer one read, as of one moment: by order, or against the direction of references.
--
-- KEYS: 1 records, 2 guards, 3 keys, 4 index, 5 referrers, 6 nothing
-- ARGV: count of keys to load, these keys; then
--       'names' or 'index': low, high, descending ('1' or ''), limit, prefix that a key must begin with, or
--       'referrers': limit, after, targets
-- Reply: values and guards of the loaded keys, nil where there is none; then keys, values and guards of what was found.
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

local load = {}
for n = 1, tonumber(ARGV[1]) do load[n] = ARGV[1 + n] end
local at = 2 + #load
local how = ARGV[at]
local keys = {}

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
    for _, member in ipairs(batch) do
      local key = how == 'names' and member or string.match(member, '([^%z]+)$')
      if #keys < limit and (prefix == '' or string.sub(key, 1, #prefix) == prefix) then keys[#keys + 1] = key end
    end
    if #batch < step then break end
    offset = offset + step
  end
elseif how == 'referrers' then
  local limit, after = tonumber(ARGV[at + 1]), ARGV[at + 2]
  local seen = {}
  for n = at + 3, #ARGV do
    local low = '(' .. ARGV[n] .. '\0' .. after
    for _, member in ipairs(redis.call('ZRANGEBYLEX', referrers, low, '(' .. ARGV[n] .. '\1', 'LIMIT', 0, limit)) do
      local key = string.match(member, '([^%z]+)$')
      if not seen[key] then
        seen[key] = true
        keys[#keys + 1] = key
      end
    end
  end
  table.sort(keys)
  for n = #keys, limit + 1, -1 do keys[n] = nil end
end

return {fields(records, load), fields(guards, load), keys, fields(records, keys), fields(guards, keys)}
