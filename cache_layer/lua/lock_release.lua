-- Give a lock back, if it is still ours.
-- KEYS[1] hash of the holder  KEYS[2] list of what became of the lock, as in lock_acquire  ARGV[1] token  ARGV[2] fence
-- Returns 1 released | 0 it was no longer ours
local held = redis.call('HMGET', KEYS[1], 'token', 'fence')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
redis.call('LPUSHX', KEYS[2], cjson.encode({what = 'released', fence = held[2],
  at_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)}))
return redis.call('DEL', KEYS[1])
