-- Read the next events of the feed. Asked where it ends, begin it if nobody has read it yet: from then on, commits write it.
--
-- KEYS: 1 feed
-- ARGV: the id of an entry, or '' for the end; the txid that this entry must have, or the name of a beginning; how many
--       events at most
-- Reply: the id and the txid where the page ends, then id, txid, origin and changes of each event; nothing where the entry
--        of the cursor is not there
-- An entry: t, its txid; o, who made it and why, or ''; c, its changes joined by NUL (see commit.lua). The first has t alone.
local feed = KEYS[1]
local call = redis.call

if ARGV[1] == '' then
  local last = call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1]
  if last then return {last[1], last[2][2]} end
  return {call('XADD', feed, '*', 't', ARGV[2]), ARGV[2]}
end

local found = call('XRANGE', feed, ARGV[1], '+', 'COUNT', ARGV[3] + 1)
if not found[1] or found[1][1] ~= ARGV[1] or found[1][2][2] ~= ARGV[2] then return {} end
local last = found[#found]
local reply = {last[1], last[2][2]}
for n = 2, #found do
  local id, fields = found[n][1], found[n][2]
  local at = #reply
  reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = id, fields[2], fields[4] or '', fields[6] or ''
end
return reply
