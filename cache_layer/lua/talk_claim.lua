-- Take what is due as a turn, or tell when to ask again (G7). One turn of a person is in flight at most; one whose handler
-- let the lease end is handed out again, under the same id and a higher fence.
-- KEYS[1] buffer, a hash: due, first (ms since 1970), m<message id>
-- KEYS[2] turn in flight, a hash: id, fence, owner, lease (until, ms), m<message id>
-- KEYS[3] sorted set: message ids done with  KEYS[4] nostore marker
-- ARGV[1] owner: the process that asks, and that has no turn of this person in work  ARGV[2] 1 take | 0 only look
-- ARGV[3] do nothing after this time, ms since 1970  ARGV[4] 1 whatever is due | 0 only what the process remembers
-- ARGV[5] lease, ms  ARGV[6] time to live, ms  ARGV[7] salt of the turn's id  ARGV[8...] message ids that the process remembers
-- Returns {now, what, ms, states, id, fence, {message id, sealed, ...}}; the last three with a turn only
--   what: 0 nothing is here | 1 waits, due in so many ms | 2 in flight, for so many ms | 3 taken
--   | 4 nothing is stored of this person | 5 too late
--   states, of each message that the process remembers: 0 not known | 1 waits | 2 a turn has it, or it is done with
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if now > tonumber(ARGV[3]) then return {now, 5, 0, {}} end
-- Changes nothing. But a replica refuses it, and so does a Redis whose memory is full: who could not be given a turn there
-- is not to be told that there is none.
redis.call('SETRANGE', KEYS[4], 0, '')
if redis.call('EXISTS', KEYS[4]) == 1 then return {now, 4, 0, {}} end

local function answer(what, ms)
  local states = {}
  for i = 8, #ARGV do
    local field = 'm' .. ARGV[i]
    local state = 0
    if redis.call('HEXISTS', KEYS[1], field) == 1 then state = 1
    elseif redis.call('HEXISTS', KEYS[2], field) == 1 or redis.call('ZSCORE', KEYS[3], ARGV[i]) then state = 2 end
    states[#states + 1] = state
  end
  return {now, what, ms, states}
end

local function messages(key)
  local fields, ids, sealed = redis.call('HGETALL', key), {}, {}
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 1) == 'm' then
      local id = string.sub(fields[i], 2)
      ids[#ids + 1] = id
      sealed[id] = fields[i + 1]
    end
  end
  table.sort(ids, function(a, b) return tonumber(a) < tonumber(b) end)
  return ids, sealed
end

local held = redis.call('HMGET', KEYS[2], 'id', 'fence', 'owner', 'lease')
local key = KEYS[1]
if held[1] then
  key = KEYS[2]
  -- Ours can only have been taken by a call whose reply never came: nobody works on it.
  if held[3] ~= ARGV[1] and tonumber(held[4]) > now then return answer(2, tonumber(held[4]) - now) end
else
  local due = redis.call('HGET', KEYS[1], 'due')
  if not due then return answer(0, 0) end
  if tonumber(due) > now then return answer(1, tonumber(due) - now) end
  -- What Redis has lost belongs before what came since: the process is to push it again first.
  local found = answer(1, 0)
  for _, state in ipairs(found[4]) do
    if state == 0 then return found end
  end
end
if ARGV[2] == '0' then return answer(1, 0) end

local ids, sealed = messages(key)
if ARGV[4] == '0' then
  local known = {}
  for i = 8, #ARGV do known[ARGV[i]] = true end
  for _, id in ipairs(ids) do
    if not known[id] then return answer(1, 250) end
  end
end

local id, fence = held[1], tonumber(held[2] or '0') + 1
if not id then
  id = string.sub(redis.sha1hex(ARGV[7] .. ':' .. table.concat(ids, ',')), 1, 32)
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('HDEL', KEYS[2], 'first', 'due')
end
redis.call('HSET', KEYS[2], 'id', id, 'fence', fence, 'owner', ARGV[1], 'lease', now + tonumber(ARGV[5]))
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[6]) -- what waits behind it
local taken = {}
for _, message in ipairs(ids) do
  taken[#taken + 1] = message
  taken[#taken + 1] = sealed[message]
end
local reply = answer(3, 0)
reply[5], reply[6], reply[7] = id, fence, taken
return reply
