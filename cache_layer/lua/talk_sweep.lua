-- Whose messages are due, the longest due first. Finds what a dead instance has left.
-- KEYS[1] sorted set: user id by due time, µs since 1970; and 'swept', which is never due
-- ARGV[1] at most so many  ARGV[2] life of the set, ms
-- Returns user id, score, user id, score, ...
-- The write is there so that a sweep succeeds only where a turn can be taken: not on a replica, nor when memory is full.
redis.call('ZADD', KEYS[1], 'inf', 'swept')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
