-- Undo lock_acquire, for one whose token nobody else has: give back what it may have been given, and wait no longer.
-- KEYS and ARGV as there, of which only ARGV[1], the token, is looked at
-- Returns 1 it held the lock | 0 it did not
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
local held = redis.call('HMGET', KEYS[1], 'token', 'fence')
if held[1] ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
redis.call('LPUSHX', KEYS[5], cjson.encode({what = 'released', fence = held[2],
  at_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)}))
return redis.call('DEL', KEYS[1])
