-- Hold records for somebody, or let go of them; a hold is a hint, and ends by itself.
--
-- KEYS: 1 holds, 2 records. ARGV: holder, milliseconds or 0 to let go, then keys
-- A hold: 'milliseconds since 1970 when it ends, holder'
local holds, records = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lasts = tonumber(ARGV[2])

redis.call('HDEL', holds, '') -- deletes nothing; once a script has written, Redis 6.2 lets it go on with a full memory
for n = 3, #ARGV do
  local key = ARGV[n]
  local until_ms, holder = string.match(redis.call('HGET', holds, key) or '', '^(%d+) (.*)$')
  local is_mine = holder == ARGV[1]
  if lasts == 0 then
    if is_mine then redis.call('HDEL', holds, key) end
  elseif (is_mine or not holder or tonumber(until_ms) <= now) and redis.call('HEXISTS', records, key) == 1 then
    redis.call('HSET', holds, key, string.format('%.0f %s', now + lasts, ARGV[1]))
  end
end
return {}
