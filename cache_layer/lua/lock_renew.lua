-- Say that the holder lives.
-- KEYS[1] hash of the holder  ARGV[1] token  ARGV[2] fence  ARGV[3] time to live, ms
-- Returns 1 renewed | 0 it is no longer ours
local held = redis.call('HMGET', KEYS[1], 'token', 'fence')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'heartbeat_ms', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
