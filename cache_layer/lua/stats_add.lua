-- Bring a minute up to what one instance has recorded in it so far; again, or late, it changes nothing.
-- KEYS[1] hash of the minute, of all processes  KEYS[2] hash of the minute, of this instance
-- ARGV[1] time to live, s  ARGV[2] channel  ARGV[3] topic  then pairs, at most 2000: field, number so far
-- Returns how many fields have grown
local fields = {}
for i = 4, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end
local before = redis.call('HMGET', KEYS[2], unpack(fields))
local grown = {}
for i, field in ipairs(fields) do
  local now = ARGV[2 * i + 3]
  local more = tonumber(now) - tonumber(before[i] or 0)
  if more > 0 then
    redis.call('HINCRBY', KEYS[1], field, string.format('%.0f', more))
    grown[#grown + 1] = field
    grown[#grown + 1] = now
  end
end
if #grown > 0 then
  redis.call('HSET', KEYS[2], unpack(grown))
  redis.call('EXPIRE', KEYS[1], ARGV[1])
  redis.call('EXPIRE', KEYS[2], ARGV[1])
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return #grown / 2
