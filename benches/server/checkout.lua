-- CHECKOUT as a script: the reservation leaves its two tables, the units are counted as
-- sold, the order goes to a stream. Less than the module does: fewer fields in the
-- order, and a checkout sent twice is not recognised.
--
-- KEYS: deadlines (sorted set), reservations (hash), orders (stream), units sold
-- ARGV: id
local id = ARGV[1]
local reservation = redis.call('HGET', KEYS[2], id)
if not reservation then
  return {'NORESERVATION', id}
end

local user, units = reservation:match('^(.*):(%d+)$')
redis.call('HDEL', KEYS[2], id)
redis.call('ZREM', KEYS[1], id)
redis.call('INCRBY', KEYS[4], units)
local order_id = redis.call('XADD', KEYS[3], '*',
  'event', 'order', 'id', id, 'user', user, 'qty', units)
return {'SOLD', id, order_id}
