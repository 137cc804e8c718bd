-- Say how a commit ended; one that has not happened by now is aborted for good.
--
-- KEYS: 1 outcome of the txid. ARGV: 1 seconds for which outcomes are kept, 2 when the commit began by the clock of its
-- client, in seconds since 1970, or 0. One that may have been forgotten is 'forgotten'.
local settled = redis.call('GET', KEYS[1])
local kept = tonumber(ARGV[1])
local age = tonumber(redis.call('TIME')[1]) - tonumber(ARGV[2])
if ARGV[2] ~= '0' and age < 0 then kept = kept - age end
if settled then
  redis.call('EXPIRE', KEYS[1], kept) -- a write, so that WAIT behind it waits for the outcome too
  return settled
end
if ARGV[2] ~= '0' and age > kept / 2 then return 'forgotten' end
redis.call('DEL', KEYS[1]) -- deletes nothing; once a script has written, Redis 6.2 lets it go on with a full memory
redis.call('SET', KEYS[1], 'aborted', 'EX', kept)
return 'aborted'
