-- Who was heard of lately.
-- KEYS[1] hash: what each says  KEYS[2] sorted set: when each was heard of, ms by this clock
-- Returns now in ms, then in turn: what one says, when it was heard of in ms
local clock = redis.call('TIME')
local found = {clock[1] * 1000 + math.floor(clock[2] / 1000)}
local heard = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #heard, 2 do
  local said = redis.call('HGET', KEYS[1], heard[i])
  if said then
    found[#found + 1] = said
    found[#found + 1] = heard[i + 1]
  end
end
return found
