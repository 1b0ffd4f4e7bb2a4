-- The value; or the lease to fill it; or "wait, somebody is loading".
-- KEYS[1] value  KEYS[2] lease
-- ARGV[1] lease token  ARGV[2] lease, ms  ARGV[3] optional: an entry that the caller has rejected; dropped if still there
-- Returns the value (bulk string) | 1 the lease is yours | 0 wait
local value = redis.call('GET', KEYS[1])
if value then
  if value ~= ARGV[3] then return value end
  redis.call('DEL', KEYS[1])
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
