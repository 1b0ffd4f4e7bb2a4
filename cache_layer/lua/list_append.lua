-- Add an element to a list that is there, or to what is added while somebody loads it. A cold list stays cold.
-- KEYS[1] list  KEYS[2] lease  KEYS[3] what is added while somebody loads  KEYS[4] nostore marker  KEYS[5] purge marker
-- ARGV[1] element  ARGV[2] when it was made, ms since 1970  ARGV[3] elements kept  ARGV[4] life of KEYS[3], ms
-- ARGV[5] how far clocks may differ, ms
-- Returns 1 added | 2 added to the load | 0 the list is cold | 3 as old as a purge: the list was dropped | 4 not stored
if redis.call('EXISTS', KEYS[4]) == 1 then return 4 end
local purged = redis.call('GET', KEYS[5])
if purged and tonumber(ARGV[2]) <= tonumber(purged) + tonumber(ARGV[5]) then
  -- It may be what was purged, on its way since before: not added, and asked of the source by whoever reads next.
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
  return 3
end
local length = redis.call('RPUSHX', KEYS[1], ARGV[1])
if length > 0 then
  if length > tonumber(ARGV[3]) then redis.call('LTRIM', KEYS[1], -tonumber(ARGV[3]), -1) end
  return 1
end
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('RPUSH', KEYS[3], ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return 2
