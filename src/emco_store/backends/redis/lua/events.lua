-- Read the next events of the feed. Asked where it begins or ends, begin it if nobody has read it yet: from then on, commits write it.
--
-- KEYS: 1 feed
-- ARGV: the id of an entry, '-' for the oldest one, or '' for the end; the txid that this entry must have, or the name of a beginning; how many
--       events at most
-- Reply: the id and the txid where the page ends, then id, txid, origin, changes and messages of each event, up to about a
--        MiB of them; nothing where the entry of the cursor is not there
-- An entry: t, its txid; o, who made it and why, or ''; c, its changes joined by NUL (see commit.lua); m, its messages,
--           where it has some. The first has t alone.
local feed, limit, step = KEYS[1], tonumber(ARGV[3]), 32
local call = redis.call

if ARGV[1] == '' or ARGV[1] == '-' then
  local found = ARGV[1] == '-' and call('XRANGE', feed, '-', '+', 'COUNT', 1) or call('XREVRANGE', feed, '+', '-', 'COUNT', 1)
  if found[1] then return {found[1][1], found[1][2][2]} end
  return {call('XADD', feed, '*', 't', ARGV[2]), ARGV[2]}
end

local found = call('XRANGE', feed, ARGV[1], '+', 'COUNT', math.min(limit, step) + 1)
if not found[1] or found[1][1] ~= ARGV[1] or found[1][2][2] ~= ARGV[2] then return {} end
local reply, last, size, first = {'', ''}, found[1], 0, 2
while true do
  for n = first, #found do
    last = found[n]
    local at, fields = #reply, last[2]
    local changes, messages = fields[6] or '', fields[8] or ''
    reply[at + 1], reply[at + 2], reply[at + 3] = last[1], fields[2], fields[4] or ''
    reply[at + 4], reply[at + 5] = changes, messages
    size = size + #changes + #messages
  end
  local count = #found - first + 1
  limit = count < step and 0 or limit - count
  if limit <= 0 or size >= 1048576 then break end
  found, first = call('XRANGE', feed, '(' .. last[1], '+', 'COUNT', math.min(limit, step)), 1
end
reply[1], reply[2] = last[1], last[2][2]
return reply
