-- Give the next pulses, by their uids, as of one moment.
--
-- KEYS: 1 pulses, 2 due, 3 beating, 4 nothing (see beat.lua)
-- ARGV: '1' for those that are due, else ''; limit; start after this uid; 'all', or 'some' and uids in order
-- Reply: the time in microseconds since 1970; the name of what this server has written since it became a primary; then uid
--        and pulse of each
local pulses, due, beating = KEYS[1], KEYS[2], KEYS[3]
local call, match = redis.call, string.match
local limit, after = tonumber(ARGV[2]), ARGV[3]
local FEW = 10000

if not redis.acl_check_cmd then call('DEL', KEYS[4]) end -- see get.lua
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
-- Each primary gives itself a new one when it starts or is promoted, so beats are not forgotten under the same one.
local history = match(call('INFO', 'replication'), 'master_replid:(%x+)') or ''
local reply, count = {now, history}, 0

local function is_wanted(value)
  if ARGV[1] == '' then return true end
  local ttl, at = match(value, '^%d+ (-?%d+) (%d+)\n')
  return ttl and at + ttl <= now
end

-- Add those of some uids that have a pulse. One without takes up no place, so that a page that is not full is the last.
local function add(uids)
  for first = 1, #uids, 1000 do -- unpack() takes some thousand values at most
    local last = math.min(first + 999, #uids)
    local values = call('HMGET', pulses, unpack(uids, first, last))
    for n = first, last do
      local value = values[n - first + 1]
      if count == limit then return end
      if value and is_wanted(value) then
        count = count + 1
        reply[2 * count + 1], reply[2 * count + 2] = uids[n], value
      end
    end
  end
end

local function walk()
  local low = after == '' and '-' or '(' .. after
  while count < limit do
    local uids = call('ZRANGEBYLEX', beating, low, '+', 'LIMIT', 0, 1000)
    add(uids)
    if #uids < 1000 then return end
    low = '(' .. uids[1000]
  end
end

if ARGV[4] == 'some' then
  local uids = {}
  for n = 5, #ARGV do uids[n - 4] = ARGV[n] end
  add(uids)
elseif ARGV[1] == '' or call('ZCOUNT', due, '-inf', now) > FEW then
  walk() -- in order, and so without a sort of all that is due
else
  local uids = {}
  for _, uid in ipairs(call('ZRANGEBYSCORE', due, '-inf', now)) do
    if uid > after then uids[#uids + 1] = uid end
  end
  table.sort(uids)
  add(uids)
end
return reply
