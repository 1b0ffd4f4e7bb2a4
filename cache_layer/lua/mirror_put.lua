-- Store a snapshot unless a newer one is there.
-- KEYS[1] hash with the fields revision, data
-- ARGV[1] revision, a whole number below 2^53  ARGV[2] data  ARGV[3] time to live, ms
-- Returns 1 stored | 0 a newer one is there
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or '-1')
if revision > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[1], 'data', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
