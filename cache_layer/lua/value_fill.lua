-- Store what was loaded, if the lease that the miss handed out still lives. An invalidation has destroyed it (G2).
-- KEYS[1] value  KEYS[2] lease
-- ARGV[1] lease token  ARGV[2] entry  ARGV[3] time to live, ms; 0 stores nothing and only ends the lease
-- Returns 1 accepted | 0 refused
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[3]) > 0 then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('DEL', KEYS[2])
return 1
