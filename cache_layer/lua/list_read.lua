-- The list; or the lease to load it; or "wait, somebody is loading"; or "nothing of this person is stored".
-- KEYS[1] list  KEYS[2] lease  KEYS[3] what was added while somebody loads  KEYS[4] nostore marker
-- ARGV[1] lease token  ARGV[2] lease, ms  ARGV[3] optional: first element of a list that the caller has rejected
-- Returns the elements, oldest first | 1 the lease is yours | 0 wait | 2 not stored
if redis.call('EXISTS', KEYS[4]) == 1 then return 2 end
local list = redis.call('LRANGE', KEYS[1], 0, -1)
if #list > 0 then
  if list[1] ~= ARGV[3] then return list end
  redis.call('DEL', KEYS[1])
end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('DEL', KEYS[3]) -- added before this load began, which therefore finds it at the source
return 1
