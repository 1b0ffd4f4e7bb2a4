-- Put a turn that a process has in work into Redis, which knows nothing of it: it was away, or has lost its data.
-- From then on nobody else hands its messages out while the handler lives, and somebody does when it dies.
-- KEYS[1] buffer  KEYS[2] turn in flight  KEYS[3] message ids done with  KEYS[4] nostore marker
-- ARGV[1] owner: the process that asks  ARGV[2] turn id  ARGV[3] fence  ARGV[4] lease, ms  ARGV[5] time to live, ms
-- then for each message: id, sealed
-- Returns 1 done | 0 others have all its messages, or had them | 2 not possible, another turn is in flight
-- | 4 nothing is stored of this person
if redis.call('EXISTS', KEYS[4]) == 1 then return 4 end
local held = redis.call('HMGET', KEYS[2], 'id', 'fence', 'owner')
if held[1] == ARGV[2] then
  if held[3] ~= ARGV[1] and tonumber(held[2]) >= tonumber(ARGV[3]) then return 0 end
else
  local elsewhere, all = 0, (#ARGV - 5) / 2
  for i = 6, #ARGV, 2 do
    if redis.call('HEXISTS', KEYS[2], 'm' .. ARGV[i]) == 1 or (redis.call('ZSCORE', KEYS[3], ARGV[i])
      and not redis.call('ZSCORE', KEYS[3], ARGV[i] .. ':' .. ARGV[1])) then elsewhere = elsewhere + 1 end
  end
  if elsewhere == all then return 0 end
  if held[1] or elsewhere > 0 then return 2 end
end
for i = 6, #ARGV, 2 do
  redis.call('HSET', KEYS[2], 'm' .. ARGV[i], ARGV[i + 1])
  redis.call('HDEL', KEYS[1], 'm' .. ARGV[i])
end
if redis.call('HEXISTS', KEYS[1], 'due') == 1 and redis.call('HLEN', KEYS[1]) == 2 then redis.call('DEL', KEYS[1]) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[2], 'id', ARGV[2], 'fence', ARGV[3], 'owner', ARGV[1], 'lease', now + tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1
