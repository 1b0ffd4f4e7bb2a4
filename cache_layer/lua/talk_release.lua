-- Give a turn back, to be handed out again under the same id.
-- KEYS[1] buffer  KEYS[2] turn in flight  ARGV[1] turn id  ARGV[2] fence  ARGV[3] not before so many ms  ARGV[4] time to live, ms
-- Returns 1 given back | 0 it was no longer ours
local held = redis.call('HMGET', KEYS[2], 'id', 'fence')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[2], 'owner', '', 'lease', now + tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
