-- Take the lock away from its holder, if it is still the one that somebody saw; its fence stays used.
-- KEYS[1] hash of the holder  ARGV[1] the fence that was seen
-- Returns 1 released | 0 it is held under another fence, or free
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
