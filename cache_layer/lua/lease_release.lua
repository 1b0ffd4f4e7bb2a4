-- Give up a lease that is still ours, so that a waiter can take over at once.
-- KEYS[1] lease  ARGV[1] token
-- Returns 1 released | 0 it was not ours
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
