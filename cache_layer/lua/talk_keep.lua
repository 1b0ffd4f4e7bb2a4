-- The handler lives: its turn stays with it, and what waits behind the turn stays as well.
-- KEYS[1] buffer  KEYS[2] turn in flight  KEYS[3] message ids done with  KEYS[4] nostore marker
-- ARGV[1] turn id  ARGV[2] fence  ARGV[3] lease, ms  ARGV[4] time to live, ms  ARGV[5] one of the turn's message ids
-- Returns 1 kept | 0 another has it, or had it and is done | 2 Redis knows nothing of it | 4 nothing is stored of this person
local held = redis.call('HMGET', KEYS[2], 'id', 'fence')
if held[1] == ARGV[1] then
  if held[2] ~= ARGV[2] then return 0 end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('HSET', KEYS[2], 'lease', now + tonumber(ARGV[3]))
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 1
end
if redis.call('EXISTS', KEYS[4]) == 1 then return 4 end
if redis.call('ZSCORE', KEYS[3], ARGV[5]) then return 0 end
return 2
