-- A call has ended: its slot is free, and everybody learns how it went.
-- Calls that were in flight together count as one refusal: the first of them begins a new epoch.
-- KEYS[1] gate, a hash: as in gate_enter; also since, of the first of the refusals in a row (ms since 1970)  KEYS[2] slots, a sorted set: token by the end of its lease, ms since 1970
-- ARGV[1] token  ARGV[2] 1 answered | 0 refused | -1 neither: the caller gave up  ARGV[3] epoch in which it entered
-- ARGV[4] wait at least, ms, as the provider asked  ARGV[5] first wait, ms  ARGV[6] longest wait, ms
-- ARGV[7] jitter, a factor  ARGV[8] refusals in a row from which the provider is away  ARGV[9] least wait while it is, ms
-- ARGV[10] time to live, ms
-- Returns {refusals, not_before, answers}
redis.call('ZREM', KEYS[2], ARGV[1])
local gate = redis.call('HMGET', KEYS[1], 'not_before', 'refusals', 'epoch', 'answers', 'prober', 'since')
local not_before, refusals, epoch = tonumber(gate[1] or '0'), tonumber(gate[2] or '0'), tonumber(gate[3] or '0')
local answers, since = tonumber(gate[4] or '0'), tonumber(gate[6] or '0')
if gate[5] == ARGV[1] then redis.call('HDEL', KEYS[1], 'prober', 'probing') end
if ARGV[2] == '-1' then return {refusals, not_before, answers} end
if ARGV[2] == '1' then
  answers = answers + 1
  -- An answer to a call that began before the refusal does not open the gate again.
  if tonumber(ARGV[3]) == epoch then refusals, not_before, since = 0, 0, 0 end
else
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if tonumber(ARGV[3]) == epoch then
    refusals, epoch = refusals + 1, epoch + 1
    if since == 0 then since = now end
    local first, longest = tonumber(ARGV[5]), tonumber(ARGV[6])
    if refusals >= tonumber(ARGV[8]) then first = math.max(first, tonumber(ARGV[9])) end
    local wait = math.min(first * 2 ^ math.min(refusals - 1, 20), longest)
    not_before = math.max(not_before, now + math.floor(wait * tonumber(ARGV[7])))
  end
  not_before = math.max(not_before, now + tonumber(ARGV[4]))
end
redis.call('HSET', KEYS[1], 'not_before', string.format('%.0f', not_before), 'refusals', refusals, 'epoch', epoch, 'answers', answers,
  'since', string.format('%.0f', since))
redis.call('PEXPIRE', KEYS[1], ARGV[10])
return {refusals, not_before, answers}
