-- Store one of a person's values, if the lease still lives; forgetting the person has destroyed it (G2, G5).
-- KEYS[1] hash of the person, as for personal_read  KEYS[2] nostore marker
-- ARGV[1] name of the value  ARGV[2] lease token  ARGV[3] entry  ARGV[4] time to live, ms; 0 stores nothing
-- ARGV[5] how many fields a person may have; beyond that all of them go
-- Returns 1 accepted | 0 refused | 2 not stored
local lease = redis.call('HGET', KEYS[1], 'l:' .. ARGV[1])
if not lease or string.sub(lease, 14) ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HDEL', KEYS[1], 'l:' .. ARGV[1])
if tonumber(string.sub(lease, 1, 13)) <= now_ms then return 0 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
local ttl_ms = tonumber(ARGV[4])
if ttl_ms <= 0 then return 1 end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'v:' .. ARGV[1], string.format('%013.0f', now_ms + ttl_ms) .. ARGV[3])
if redis.call('PTTL', KEYS[1]) < ttl_ms then redis.call('PEXPIRE', KEYS[1], ttl_ms) end
return 1
