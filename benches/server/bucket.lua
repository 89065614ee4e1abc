-- A token bucket as a script on one key a subject: what a careful shop runs where there is no
-- module. A refusal writes nothing.
--
-- KEYS: the bucket (hash of tokens and the moment they were counted)
-- ARGV: most tokens, tokens a second, tokens that the call takes
local most, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local tokens, at = tonumber(bucket[1]) or most, tonumber(bucket[2]) or now
tokens = math.min(most, tokens + math.max(0, now - at) * rate)
if tokens < cost then
  return {'THROTTLED', math.floor(tokens), math.ceil((cost - tokens) / rate * 1000)}
end
tokens = tokens - cost
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil((most - tokens) / rate * 1000))
return {'ALLOWED', math.floor(tokens), 0}
