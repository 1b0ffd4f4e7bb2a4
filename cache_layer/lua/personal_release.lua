-- Give up a lease on one of a person's values that is still ours.
-- KEYS[1] hash of the person, as for personal_read  ARGV[1] name of the value  ARGV[2] lease token
-- Returns 1 released | 0 it was not ours
local lease = redis.call('HGET', KEYS[1], 'l:' .. ARGV[1])
if not lease or string.sub(lease, 14) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], 'l:' .. ARGV[1])
