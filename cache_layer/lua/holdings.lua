-- How much there is under keys of one slot, and how long it has been and will be there: numbers, nothing of what it is.
-- KEYS[1...] the keys
-- ARGV[1...] of each, how it is built: 'plain' string or list | 'buffer' hash: first (ms since 1970), m<message id>
--   | 'named' hash: 'v:<name>' = 13 digits, when it ends (ms since 1970), and the value
-- Returns of each {bytes, ms left, ms since it began, ms until the first of several ends}; -1 for what is not known,
-- {-1, -2, -1, -1} where there is nothing
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function of_plain(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then return redis.call('STRLEN', key) end
  local bytes = 0
  local all = kind == 'zset' and redis.call('ZRANGE', key, 0, -1) or redis.call('LRANGE', key, 0, -1)
  for _, element in ipairs(all) do bytes = bytes + #element end
  return bytes
end

local function of_hash(key, first_letter, but)
  local bytes, ends = 0, -1
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, #first_letter) == first_letter then
      local left = 0
      if but > 0 then left = tonumber(string.sub(redis.call('HGET', key, field), 1, but)) - now end
      if left >= 0 then
        bytes = bytes + redis.call('HSTRLEN', key, field) - but
        if ends < 0 or left < ends then ends = left end
      end
    end
  end
  return bytes, ends
end

local reply = {}
for i, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  local bytes, since, ends = -1, -1, -1
  if left ~= -2 then
    if ARGV[i] == 'plain' then
      bytes = of_plain(key)
    elseif ARGV[i] == 'named' then
      bytes, ends = of_hash(key, 'v:', 13)
      if ends < 0 then bytes = -1 end -- leases alone, or values that are over
    else
      bytes = of_hash(key, 'm', 0)
      local first = redis.call('HGET', key, 'first')
      if first then since = math.max(now - tonumber(first), 0) end
    end
  end
  reply[i] = {bytes, left, since, ends}
end
return reply
