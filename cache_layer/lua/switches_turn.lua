-- Turn the switch of one cache for all processes; before that, put back what Redis has lost and the caller knows.
-- KEYS[1] hash: of each cache that is off, who, why and since when; and the revision of the whole, which only grows
-- ARGV[1] revision that the caller knows  ARGV[2] cache | '' none is to be turned
-- ARGV[3] '' to turn it on | what to keep of it while it is off
-- then pairs, as the caller knows them: cache, what is kept of it
-- Returns 1 turned | 0 it was so already, or none was to be turned; then all fields and values of the hash
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or '0')
if revision < tonumber(ARGV[1]) then
  revision = tonumber(ARGV[1])
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'revision', ARGV[1])
  for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
local turned = 0
if ARGV[2] ~= '' and (redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1) == (ARGV[3] == '') then
  turned = 1
  if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[2])
  else
    redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
  end
  local time = redis.call('TIME')
  local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
  redis.call('HSET', KEYS[1], 'revision', string.format('%.0f', math.max(revision + 1, now_us)))
end
return {turned, unpack(redis.call('HGETALL', KEYS[1]))}
