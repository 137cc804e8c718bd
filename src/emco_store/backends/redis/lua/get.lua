-- Give records by their keys, as of one moment.
--
-- KEYS: 1 records, 2 guards, 3 nothing. ARGV: keys
-- Reply: their values and their guards, nil where there is none.
local call = redis.call

-- Nothing is ever there; a server that has become a replica refuses it, and is not read from. From 7.0 on, it refuses a
-- script whose header does not say that it only reads.
if not redis.acl_check_cmd then call('DEL', KEYS[3]) end

local count = #ARGV
if count <= 1000 then -- unpack() takes some thousand values at most
  return {call('HMGET', KEYS[1], unpack(ARGV)), call('HMGET', KEYS[2], unpack(ARGV))}
end
local found = {{}, {}}
for first = 1, count, 1000 do
  for n, list in ipairs(found) do
    for _, value in ipairs(call('HMGET', KEYS[n], unpack(ARGV, first, math.min(first + 999, count)))) do
      list[#list + 1] = value
    end
  end
end
return found
