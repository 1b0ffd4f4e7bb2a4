-- Note when somebody's messages are to be looked at, by whichever instance then lives (G7).
-- A later note never has the score of the one before it, so that who saw that one sees that this is another.
-- KEYS[1] sorted set: user id by due time, µs since 1970
-- ARGV[1] user id  ARGV[2] due in so many ms  ARGV[3] life of the set, ms  ARGV[4] optional: only if this is its score
-- Returns 1 noted | 0 another has noted something else
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
if ARGV[4] and before ~= ARGV[4] then return 0 end
local time = redis.call('TIME')
local score = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(ARGV[2]) * 1000)
if score == before then score = string.format('%.0f', tonumber(score) + 1) end
redis.call('ZADD', KEYS[1], score, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
