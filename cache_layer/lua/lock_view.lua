-- A lock as it is now, for people to see.
-- KEYS[1] hash of the holder  KEYS[2] sorted set of waiters' tokens, by when each last asked, ms
-- KEYS[3] hash of the same tokens: who each is, and since when it waits, as JSON
-- ARGV[1] for how long one who waits is believed to live after it asked, ms
-- Returns nothing when nobody holds it | role, host, pid, job, fence, since ms, heartbeat ms, expires ms, list of waiters, now ms
local held = redis.call('HMGET', KEYS[1], 'role', 'host', 'pid', 'job', 'fence', 'since_ms', 'heartbeat_ms')
if not held[5] then return {} end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
held[8] = now_ms + redis.call('PTTL', KEYS[1])
held[9] = {}
for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. (now_ms - tonumber(ARGV[1])), '+inf')) do
  local waiting = redis.call('HGET', KEYS[3], token)
  if waiting then table.insert(held[9], waiting) end
end
held[10] = now_ms
return held
