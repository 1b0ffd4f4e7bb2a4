-- Give a lock back, if it is still ours.
-- KEYS[1] hash of the holder  ARGV[1] token  ARGV[2] fence
-- Returns 1 released | 0 it was no longer ours
local held = redis.call('HMGET', KEYS[1], 'token', 'fence')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
