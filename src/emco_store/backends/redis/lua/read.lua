-- Answer one read, as of one moment: by key, by order, or against the direction of references.
--
-- KEYS: 1 records, 2 guards, 3 keys, 4 index, 5 referrers, 6 nothing
-- ARGV: count of keys to load, these keys; then 'none', or
--       'names' or 'index': low, high, descending ('1' or ''), limit, prefix that a key must begin with, or
--       'referrers': limit, after, targets
-- Reply: values and guards of the loaded keys, in their order; then keys, values and guards of what was found.
local records, guards, names, index, referrers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

redis.call('DEL', KEYS[6]) -- it is never there; a server that has become a replica refuses it, and is not read from
local function values(keys)
  local found = {}
  local step = 1000 -- unpack() takes some thousand values at most
  for first = 1, #keys, step do
    local last = math.min(first + step - 1, #keys)
    local bodies = redis.call('HMGET', records, unpack(keys, first, last))
    local counts = redis.call('HMGET', guards, unpack(keys, first, last))
    for n = 1, last - first + 1 do
      found[#found + 1] = bodies[n] or ''
      found[#found + 1] = counts[n] or '0'
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
      if #keys < limit and string.sub(key, 1, #prefix) == prefix then keys[#keys + 1] = key end
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

return {values(load), keys, values(keys)}
