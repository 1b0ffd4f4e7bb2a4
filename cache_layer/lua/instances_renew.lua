-- An instance is there: keep what it says of itself, and drop those that have been silent for long.
-- KEYS[1] hash: what each says  KEYS[2] sorted set: when each was heard of, ms by this clock
-- ARGV[1] instance  ARGV[2] what it says  ARGV[3] ms of silence after which one is dropped
-- Returns 1
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[1])
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now - ARGV[3]))) do
  redis.call('HDEL', KEYS[1], silent)
  redis.call('ZREM', KEYS[2], silent)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
