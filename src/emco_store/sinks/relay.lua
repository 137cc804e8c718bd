-- Adds entries to a stream, each once: those whose ids are not above the last one are there, or have been.
-- KEYS[1]: the stream. ARGV[1]: how many entries it keeps about, 0 for all. Then for each entry: its id, topic, key ('' for
-- none), body and position.
local last_number, last_index = 0, 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then
      local number, index = string.match(info[at + 1], '^(%d+)-(%d+)$')
      last_number, last_index = tonumber(number), tonumber(index)
    end
  end
end
local added = 0
for at = 2, #ARGV, 5 do
  local number, index = string.match(ARGV[at], '^(%d+)-(%d+)$')
  number, index = tonumber(number), tonumber(index)
  if number > last_number or (number == last_number and index > last_index) then
    local entry = {ARGV[at], 'topic', ARGV[at + 1], 'body', ARGV[at + 3], 'position', ARGV[at + 4]}
    if ARGV[at + 2] ~= '' then
      entry[#entry + 1], entry[#entry + 2] = 'key', ARGV[at + 2]
    end
    if ARGV[1] == '0' then
      redis.call('XADD', KEYS[1], unpack(entry))
    else
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], unpack(entry))
    end
    added = added + 1
  end
end
return added
