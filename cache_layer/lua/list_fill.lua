-- Store the list that was loaded, and after it what was added meanwhile, if the lease still lives (G2).
-- KEYS[1] list  KEYS[2] lease  KEYS[3] what was added while it was loaded  KEYS[4] nostore marker
-- ARGV[1] lease token  ARGV[2] first element, which stands for all that was loaded, be it empty  ARGV[3] time to live, ms
-- Returns the elements added meanwhile | 0 refused | 2 not stored
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local added = redis.call('LRANGE', KEYS[3], 0, -1)
redis.call('DEL', KEYS[2], KEYS[3])
if redis.call('EXISTS', KEYS[4]) == 1 then return 2 end
redis.call('DEL', KEYS[1])
if tonumber(ARGV[3]) > 0 then
  redis.call('RPUSH', KEYS[1], ARGV[2])
  for _, element in ipairs(added) do redis.call('RPUSH', KEYS[1], element) end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return added
