-- Note that the holders of leases are alive, each by itself.
--
-- KEYS: 1 pulses, 2 due, 3 beating. ARGV: uid, number, TTL in microseconds, 'key\nprogress' of each beat
-- Reply: the time in microseconds since 1970, then the uids of those whose lease is over
-- A pulse: 'number TTL time\nkey\nprogress', by uid. Due: uids by the time when they are due. Beating: uids in order.
local pulses, due, beating = KEYS[1], KEYS[2], KEYS[3]
local call, match, format = redis.call, string.match, string.format
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local at = format(' %.0f\n', now)
local reply = {now}

call('HDEL', pulses, '') -- deletes nothing; once a script has written, Redis 6.2 lets it go on with a full memory
for first = 1, #ARGV, 2000 do -- unpack() takes some thousand values at most
  local last = math.min(first + 1999, #ARGV)
  local uids = {}
  for n = first, last, 4 do uids[#uids + 1] = ARGV[n] end
  local found = call('HMGET', pulses, unpack(uids))
  local values, times, names = {}, {}, {}
  for m = 1, #uids do
    local n = first + 4 * m - 4
    local number, was = tonumber(ARGV[n + 1]), found[m] and tonumber(match(found[m], '^%d+'))
    if not was and number > 1 then
      reply[#reply + 1] = uids[m]
    elseif not was or number > was then
      local v = #values
      values[v + 1] = uids[m]
      values[v + 2] = ARGV[n + 1] .. ' ' .. ARGV[n + 2] .. at .. ARGV[n + 3]
      times[v + 1] = format('%.0f', now + ARGV[n + 2])
      times[v + 2] = uids[m]
      if not was then
        names[#names + 1] = 0
        names[#names + 1] = uids[m]
      end
    end
  end
  if #values > 0 then
    call('HSET', pulses, unpack(values))
    call('ZADD', due, unpack(times))
  end
  if #names > 0 then call('ZADD', beating, unpack(names)) end
end
return reply
