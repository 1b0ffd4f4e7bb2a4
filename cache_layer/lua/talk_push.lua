-- Add messages to those that are being merged, each once, however often it is sent (G7).
-- KEYS[1] buffer, a hash: due, first (ms since 1970), m<message id>  KEYS[2] turn in flight, a hash, with m<message id> too
-- KEYS[3] sorted set: message ids done with, by time  KEYS[4] nostore marker
-- ARGV[1] longest wait of all, ms  ARGV[2] time to live, ms
-- then for each message, in the order in which they came: id, sealed, quiet period, age; both in ms
-- Returns {ms until due, state, state, ...}: 1 waits | 2 a turn has it, or it is done with
-- | {-1} nothing is stored of this person
if redis.call('EXISTS', KEYS[4]) == 1 then return {-1} end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local timer = redis.call('HMGET', KEYS[1], 'first', 'due')
local first, due, added = tonumber(timer[1] or now), tonumber(timer[2] or now), false
local reply = {0}
for i = 3, #ARGV, 4 do
  local field = 'm' .. ARGV[i]
  local state = 1
  if redis.call('HEXISTS', KEYS[2], field) == 1 or redis.call('ZSCORE', KEYS[3], ARGV[i]) then
    state = 2
  elseif redis.call('HSETNX', KEYS[1], field, ARGV[i + 1]) == 1 then
    first = math.min(first, now - tonumber(ARGV[i + 3]))
    due = now + tonumber(ARGV[i + 2])
    added = true
  end
  reply[#reply + 1] = state
end
if added then
  due = math.min(due, first + tonumber(ARGV[1]))
  redis.call('HSET', KEYS[1], 'first', first, 'due', due)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
reply[1] = math.max(due - now, 0)
return reply
