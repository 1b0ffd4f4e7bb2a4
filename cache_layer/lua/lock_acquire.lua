-- Take a lock that is free, ours already (under this fence or an older one of ours), or whose holder has been silent
-- for too long (G8).
-- KEYS[1] hash of the holder  KEYS[2] last fence
-- ARGV[1] token  ARGV[2] fence, or '' for the next one  ARGV[3] time to live, ms  ARGV[4] silence that displaces, ms
-- ARGV[5] role  ARGV[6] host  ARGV[7] pid  ARGV[8] job  ARGV[9] time to live of the last fence, ms
-- Returns the fence as a decimal string | 0 held by another
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now_ms = math.floor(now_us / 1000)
local held = redis.call('HMGET', KEYS[1], 'token', 'heartbeat_ms', 'since_ms', 'fence')
local ours = held[1] == ARGV[1] and (ARGV[2] == '' or tonumber(held[4]) <= tonumber(ARGV[2]))
if held[1] and not ours and now_ms - tonumber(held[2]) < tonumber(ARGV[4]) then return 0 end
local fence = ARGV[2]
if fence == '' then
  if ours then
    fence = held[4]
  else
    fence = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now_us))
  end
end
redis.call('SET', KEYS[2], fence, 'PX', ARGV[9])
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'fence', fence, 'since_ms', ours and held[3] or now_ms,
  'heartbeat_ms', now_ms, 'role', ARGV[5], 'host', ARGV[6], 'pid', ARGV[7], 'job', ARGV[8])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return fence
