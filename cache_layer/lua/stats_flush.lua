-- Add one process's counts of the last second to the minute's, and say that they have changed.
-- KEYS[1] hash of the minute
-- ARGV[1] time to live, s  ARGV[2] channel  ARGV[3] topic  then pairs: field, count
-- Returns 1
for i = 4, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
