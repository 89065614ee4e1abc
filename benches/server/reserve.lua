-- RESERVE of one unit or more as a script on four keys: a retry by id, a limit a user,
-- the stock, a deadline. What a careful shop runs where there is no module.
--
-- KEYS: units left, units by user (hash), deadlines (sorted set), reservations (hash)
-- ARGV: user, units, most units a user may have, milliseconds until the deadline, id
local user, id = ARGV[1], ARGV[5]
local before = redis.call('HGET', KEYS[4], id)
if before then
  return {'RESERVED', id, before}
end

local units, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local has = tonumber(redis.call('HGET', KEYS[2], user)) or 0
if has + units > limit then
  return {'USERLIMIT', limit - has}
end

local left = tonumber(redis.call('GET', KEYS[1])) or 0
if left < units then
  return {'SOLDOUT', left}
end

local now = redis.call('TIME')
local expires_at_ms = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[4]
redis.call('DECRBY', KEYS[1], units)
redis.call('HINCRBY', KEYS[2], user, units)
redis.call('HSET', KEYS[4], id, user .. ':' .. units)
redis.call('ZADD', KEYS[3], expires_at_ms, id)
return {'RESERVED', id, expires_at_ms, left - units, limit - has - units}
