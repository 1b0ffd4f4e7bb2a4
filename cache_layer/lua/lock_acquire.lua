-- Take a lock that is free, ours already (under this fence or an older one of ours), or whose holder has been silent
-- for too long (G8). Refused, stand among those who wait for it, or leave them.
-- KEYS[1] hash of the holder  KEYS[2] last fence  KEYS[3] sorted set of waiters' tokens, by when each last asked, ms
-- KEYS[4] hash of the same tokens: who each is, and since when it waits, as JSON
-- KEYS[5] list of what became of it, newest first, as JSON: what, fence, at_ms; of a grant also who got it
-- ARGV[1] token  ARGV[2] fence, or '' for the next one  ARGV[3] time to live, ms  ARGV[4] silence that displaces, ms
-- ARGV[5] role  ARGV[6] host  ARGV[7] pid  ARGV[8] job  ARGV[9] time to live of the last fence, ms
-- ARGV[10] for how long one who waits is believed to live after each time it asks, ms | 0 this one does not wait
-- ARGV[11] time to live of that list, ms  ARGV[12] how many entries it has at most
-- Returns the fence as a decimal string | 0 held by another
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now_ms = math.floor(now_us / 1000)
local held = redis.call('HMGET', KEYS[1], 'token', 'heartbeat_ms', 'since_ms', 'fence')
local ours = held[1] == ARGV[1] and (ARGV[2] == '' or tonumber(held[4]) <= tonumber(ARGV[2]))
local silent_ms = held[1] and now_ms - tonumber(held[2])
if held[1] and not ours and silent_ms < tonumber(ARGV[4]) then
  if silent_ms < 0 then
    -- The server's clock went back: the silence counts from now, or a dead holder would keep the lock for as long again.
    redis.call('HSET', KEYS[1], 'heartbeat_ms', now_ms)
  end
  local kept_ms = tonumber(ARGV[10])
  if kept_ms == 0 then
    redis.call('ZREM', KEYS[3], ARGV[1])
    redis.call('HDEL', KEYS[4], ARGV[1])
    return 0
  end
  redis.call('ZADD', KEYS[3], now_ms, ARGV[1])
  redis.call('HSETNX', KEYS[4], ARGV[1], cjson.encode(
    {role = ARGV[5], host = ARGV[6], pid = tonumber(ARGV[7]), job = ARGV[8], since_ms = now_ms}))
  local dead = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now_ms - kept_ms, 'LIMIT', 0, 100)
  if #dead > 0 then
    redis.call('ZREM', KEYS[3], unpack(dead))
    redis.call('HDEL', KEYS[4], unpack(dead))
  end
  redis.call('PEXPIRE', KEYS[3], kept_ms)
  redis.call('PEXPIRE', KEYS[4], kept_ms)
  return 0
end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = ARGV[2]
if fence == '' then
  fence = ours and held[4] or string.format('%.0f', math.max(last + 1, now_us))
end
redis.call('SET', KEYS[2], string.format('%.0f', math.max(last, tonumber(fence))), 'PX', ARGV[9])
if fence ~= held[4] then
  if held[1] then
    redis.call('LPUSHX', KEYS[5], cjson.encode({what = 'displaced', fence = held[4], at_ms = now_ms}))
  end
  redis.call('LPUSH', KEYS[5], cjson.encode({what = 'granted', fence = fence, at_ms = now_ms,
    role = ARGV[5], host = ARGV[6], pid = tonumber(ARGV[7]), job = ARGV[8]}))
  redis.call('LTRIM', KEYS[5], 0, ARGV[12] - 1)
  redis.call('PEXPIRE', KEYS[5], ARGV[11])
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'fence', fence, 'since_ms', ours and held[3] or now_ms,
  'heartbeat_ms', now_ms, 'role', ARGV[5], 'host', ARGV[6], 'pid', ARGV[7], 'job', ARGV[8])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
return fence
