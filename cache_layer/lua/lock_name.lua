-- Enter a lock's name into the index of names, and drop names that have not been entered again for long. The locks are
-- in other slots, so that no script of theirs can do it.
-- KEYS[1] sorted set of names, by when each was last entered, s  ARGV[1] name  ARGV[2] time a name is kept, s
-- Returns 1 it is new | 0 it was there
local now_s = tonumber(redis.call('TIME')[1])
local new = redis.call('ZADD', KEYS[1], now_s, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_s - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return new
