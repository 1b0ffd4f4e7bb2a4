#!lua
-- Whose messages are due, the longest due first. Finds what a dead instance has left.
-- KEYS[1] sorted set: user id by due time, µs since 1970
-- ARGV[1] at most so many
-- Returns user id, score, user id, score, ...
-- `#!lua` without the flag no-writes: a replica refuses it, and a Redis whose memory is full, as they refuse a claim.
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
