-- Prolong a lease on one of a person's values that is still ours.
-- KEYS[1] hash of the person, as for personal_read  ARGV[1] name of the value  ARGV[2] lease token  ARGV[3] lease, ms
-- Returns 1 prolonged | 0 it is not ours
local lease = redis.call('HGET', KEYS[1], 'l:' .. ARGV[1])
if not lease or string.sub(lease, 14) ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], 'l:' .. ARGV[1], string.format('%013.0f', now_ms + tonumber(ARGV[3])) .. ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
