-- Give a collection a version that it never had: Redis's time in µs.
-- KEYS[1] version  ARGV[1] time to live, ms: longer than anything lives that was stored under an earlier version
-- Returns the version
local time = redis.call('TIME')
local version = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
redis.call('SET', KEYS[1], version, 'PX', ARGV[1])
return version
