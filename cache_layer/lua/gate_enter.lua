-- May a call of this provider begin? Slots bound how many calls of all providers are in flight, everywhere together.
-- KEYS[1] gate, a hash: not_before (ms since 1970), refusals (in a row), epoch, answers, prober (token), probing (ms since 1970)
-- KEYS[2] slots, a sorted set: token by the end of its lease, ms since 1970
-- ARGV[1] token  ARGV[2] at most so many in flight  ARGV[3] lease, ms  ARGV[4] refusals in a row from which one goes at a time
-- ARGV[5] time to live, ms
-- Returns {1, epoch, answers} entered | {0, wait ms, not_before, away 1 or 0} not now; not_before is 0 when it is over
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local gate = redis.call('HMGET', KEYS[1], 'not_before', 'refusals', 'epoch', 'answers', 'probing')
local not_before, refusals = tonumber(gate[1] or '0'), tonumber(gate[2] or '0')
local away = refusals >= tonumber(ARGV[4])
if now < not_before then return {0, not_before - now, not_before, away and 1 or 0} end
if away and now < tonumber(gate[5] or '0') then return {0, 100, 0, 1} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return {0, 100, 0, away and 1 or 0} end
local ends = now + tonumber(ARGV[3])
redis.call('ZADD', KEYS[2], ends, ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
if away then redis.call('HSET', KEYS[1], 'prober', ARGV[1], 'probing', ends) end
return {1, tonumber(gate[3] or '0'), tonumber(gate[4] or '0')}
