-- Whose messages are due, the longest due first. Finds what a dead instance has left.
-- KEYS[1] sorted set: user id by due time, µs since 1970
-- ARGV[1] at most so many
-- Returns user id, score, user id, score, ...
-- The ZADD adds nothing. But a replica refuses it, and so does a Redis whose memory is full, as they refuse a claim.
redis.call('ZADD', KEYS[1], 'XX', 0, 'nobody')
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
