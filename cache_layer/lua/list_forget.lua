-- Forget the list after a purge of its source, and let nothing back in that may be older than the purge (G5).
-- KEYS[1] list  KEYS[2] lease  KEYS[3] what was added while somebody loads  KEYS[4] purge marker
-- ARGV[1] life of the marker, ms
-- Returns {lists dropped, leases dropped}
local time = redis.call('TIME')
redis.call('SET', KEYS[4], string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)), 'PX', ARGV[1])
redis.call('DEL', KEYS[3])
return {redis.call('DEL', KEYS[1]), redis.call('DEL', KEYS[2])}
