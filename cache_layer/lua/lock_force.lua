-- Take the lock away from its holder, if it is still the one that somebody saw; its fence stays used.
-- KEYS[1] hash of the holder  KEYS[2] list of what became of the lock, as in lock_acquire  ARGV[1] the fence that was seen
-- Returns 1 released | 0 it is held under another fence, or free
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
redis.call('LPUSHX', KEYS[2], cjson.encode({what = 'taken', fence = ARGV[1],
  at_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)}))
return redis.call('DEL', KEYS[1])
