-- Say how a commit ended; one that has not happened by now is aborted for good.
--
-- KEYS: 1 outcome of the txid. ARGV: 1 seconds for which the outcome is kept
local settled = redis.call('GET', KEYS[1])
if settled then
  redis.call('EXPIRE', KEYS[1], ARGV[1]) -- a write, so that WAIT behind it waits for the outcome too
  return settled
end
redis.call('DEL', KEYS[1]) -- deletes nothing; once a script has written, Redis 6.2 lets it go on with a full memory
redis.call('SET', KEYS[1], 'aborted', 'EX', ARGV[1])
return 'aborted'
