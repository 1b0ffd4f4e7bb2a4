-- The turn is done. Its messages are remembered for a while, so that none of them is taken up again when it comes late.
-- KEYS[1] buffer  KEYS[2] turn in flight  KEYS[3] sorted set: message ids done with, by time, ms  KEYS[4] nostore marker
-- ARGV[1] turn id  ARGV[2] fence  ARGV[3] how long ids are remembered, ms  ARGV[4...] message ids of the turn
-- Returns {1, ms until what waits is due; -1 nothing waits} done | {2, -1} was done before | {0, -1} refused, another has it
local held = redis.call('HMGET', KEYS[2], 'id', 'fence')
if held[1] == ARGV[1] then
  if held[2] ~= ARGV[2] then return {0, -1} end
  redis.call('DEL', KEYS[2])
elseif redis.call('ZSCORE', KEYS[3], ARGV[4]) then
  return {2, -1}
elseif redis.call('EXISTS', KEYS[4]) == 1 then
  return {1, -1}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 4, #ARGV do
  redis.call('ZADD', KEYS[3], now, ARGV[i])
  redis.call('HDEL', KEYS[1], 'm' .. ARGV[i]) -- sent once more after Redis had lost the turn
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[3], ARGV[3])
local due = redis.call('HGET', KEYS[1], 'due')
if not due then return {1, -1} end
if redis.call('HLEN', KEYS[1]) == 2 then -- the timer alone
  redis.call('DEL', KEYS[1])
  return {1, -1}
end
return {1, math.max(tonumber(due) - now, 0)}
