-- One of a person's values; or the lease to fill it; or "wait, somebody is loading"; or "nothing of theirs is stored".
-- KEYS[1] hash of the person: v:<name> is 13 digits of when it ends (ms since 1970) and the entry, l:<name> the same of a
-- lease and its token  KEYS[2] nostore marker
-- ARGV[1] name of the value  ARGV[2] lease token  ARGV[3] lease, ms  ARGV[4] optional: an entry that the caller has rejected
-- Returns the entry (bulk string) | 1 the lease is yours | 0 wait | 2 not stored
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local value = redis.call('HGET', KEYS[1], 'v:' .. ARGV[1])
if value then
  local entry = string.sub(value, 14)
  if tonumber(string.sub(value, 1, 13)) > now_ms and entry ~= ARGV[4] then return entry end
  redis.call('HDEL', KEYS[1], 'v:' .. ARGV[1])
end
local lease = redis.call('HGET', KEYS[1], 'l:' .. ARGV[1])
if lease and tonumber(string.sub(lease, 1, 13)) > now_ms then return 0 end
redis.call('HSET', KEYS[1], 'l:' .. ARGV[1], string.format('%013.0f', now_ms + tonumber(ARGV[3])) .. ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
