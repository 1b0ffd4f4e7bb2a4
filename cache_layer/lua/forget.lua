-- Forget all text of a person, and store none of it for a while (G5).
-- KEYS[1] nostore marker  KEYS[2...] what may hold text of theirs, and the leases of those who load it
-- ARGV[1] life of the marker, ms
-- Returns how many keys were dropped
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
local dropped = 0
for i = 2, #KEYS do dropped = dropped + redis.call('DEL', KEYS[i]) end
return dropped
