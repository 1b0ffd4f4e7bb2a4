-- Undo lock_acquire, for one whose token nobody else has: give back what it may have been given, and wait no longer.
-- KEYS and ARGV as there, of which only ARGV[1], the token, is looked at
-- Returns 1 it held the lock | 0 it did not
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
