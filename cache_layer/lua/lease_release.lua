-- Give up a lease that is still ours, so that a waiter can take over at once.
-- KEYS[1] value, not touched: the keys are those of value_read, which this undoes  KEYS[2] lease  ARGV[1] token
-- Returns 1 released | 0 it was not ours
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
