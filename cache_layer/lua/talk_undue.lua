-- Nothing waits there any more: forget the note, unless somebody has made another meanwhile.
-- KEYS[1] sorted set: user id by due time  ARGV[1] user id  ARGV[2] score that was seen
-- Returns 1 forgotten | 0 there is another
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
