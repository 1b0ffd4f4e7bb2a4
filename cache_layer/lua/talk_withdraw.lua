-- Take messages back that their process answers from its memory; one that has not come yet is refused when it does.
-- KEYS[1] buffer  KEYS[2] turn in flight  KEYS[3] sorted set: message ids done with, by time, ms  KEYS[4] nostore marker
-- ARGV[1] owner: the process that asks  ARGV[2] id of the turn that it has in work here, or ''
-- ARGV[3] how long ids are remembered, ms  ARGV[4...] message ids
-- Returns of each: 1 the process has it to itself | 0 a turn of another has it, or had it
local reply = {}
if redis.call('EXISTS', KEYS[4]) == 1 then
  for i = 4, #ARGV do reply[#reply + 1] = 1 end
  return reply
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local held = redis.call('HMGET', KEYS[2], 'id', 'owner')
-- Taken in our name by a call whose reply never came: nobody works on it.
local unheard = held[2] == ARGV[1] and held[1] ~= ARGV[2]
for i = 4, #ARGV do
  local field, ours = 'm' .. ARGV[i], ARGV[i] .. ':' .. ARGV[1]
  local state = 1
  if redis.call('ZSCORE', KEYS[3], ours) then
    state = 1 -- by this call, whose reply was lost
  elseif redis.call('HDEL', KEYS[1], field) == 0 and not (unheard and redis.call('HDEL', KEYS[2], field) == 1)
    and (redis.call('HEXISTS', KEYS[2], field) == 1 or redis.call('ZSCORE', KEYS[3], ARGV[i])) then
    state = 0
  else
    redis.call('ZADD', KEYS[3], now, ARGV[i], now, ours)
  end
  reply[#reply + 1] = state
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[3], ARGV[3])
if redis.call('HEXISTS', KEYS[1], 'due') == 1 and redis.call('HLEN', KEYS[1]) == 2 then redis.call('DEL', KEYS[1]) end
if unheard and redis.call('HLEN', KEYS[2]) == 4 then redis.call('DEL', KEYS[2]) end
return reply
