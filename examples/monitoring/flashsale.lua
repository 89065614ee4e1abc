#!lua flags=no-writes,allow-stale,allow-cross-slot-keys
-- What INFO flashsale counts, and each sale's stock and unfinished orders, for
-- redis_exporter, which runs this at each scrape (--script) and takes names and numbers in
-- turn. A name may have labels; prometheus.yml makes them real.
--
-- no-writes: runs at once while writes are paused, as in a failover, and on a replica.

-- The sales to look at, in database 0: {'tea', 'coffee'}. With none named they are looked
-- for among all keys, as long as there are at most KEYS_MAX: SCAN goes through every one of
-- them, and all clients wait.
local SALES = {}
local KEYS_MAX = 1000
-- Each sale is a dozen time series, and five for each consumer group.
local SALES_MAX = 20

local out = {}

-- A name with labels, {name, value, ...}, as Prometheus writes them, and its number.
local function tell(name, labels, number)
  local parts = {}
  for i = 1, #labels, 2 do
    parts[#parts + 1] = labels[i] .. '="' .. string.gsub(labels[i + 1], '["\\%c]', '_') .. '"'
  end
  if #parts > 0 then
    name = name .. '{' .. table.concat(parts, ',') .. '}'
  end
  out[#out + 1] = name
  -- tostring would round to 14 digits.
  out[#out + 1] = string.format('%.0f', number)
end

-- A flat reply of names and values, by name.
local function by_name(flat)
  local map = {}
  for i = 1, #flat, 2 do
    map[flat[i]] = flat[i + 1]
  end
  return map
end

-- The reply; nil where there is nothing to tell. Anything else that fails, an ACL above all,
-- ends the script, and redis_exporter logs why.
local NOTHING = {'no such key', 'non local key'}
local function ask(...)
  local reply = redis.pcall(...)
  if not reply.err then
    return reply
  end
  for _, part in ipairs(NOTHING) do
    if string.find(reply.err, part, 1, true) then
      return nil
    end
  end
  error(reply.err)
end

local function sales()
  if #SALES > 0 then
    return SALES
  end
  local found = {}
  if redis.call('DBSIZE') > KEYS_MAX then
    return found
  end
  local cursor = '0'
  repeat
    local reply = redis.call('SCAN', cursor, 'TYPE', 'flashsale', 'COUNT', 1000)
    cursor = reply[1]
    for _, key in ipairs(reply[2]) do
      found[#found + 1] = key
    end
  until cursor == '0' or #found >= SALES_MAX
  -- The same ones at each scrape.
  table.sort(found)
  return found
end

-- The milliseconds of a stream ID.
local function moment(id)
  return tonumber(string.match(id, '^%d+'))
end

-- Orders that a consumer group was not given yet, or has not acknowledged.
local function tell_orders(sale, info)
  -- There is no stream before the first order.
  for _, flat in ipairs(ask('XINFO', 'GROUPS', info.orders) or {}) do
    local group = by_name(flat)
    local labels = {'sale', sale, 'group', group.name}
    tell('flashsale_orders_pending', labels, group.pending)
    local since
    if group.pending > 0 then
      local oldest = redis.call('XPENDING', info.orders, group.name)[2]
      since = oldest and moment(oldest)
    end
    -- Null after an XDEL: the server cannot tell any more.
    if group.lag then
      tell('flashsale_orders_undelivered', labels, group.lag)
      if group.lag > 0 then
        -- The oldest of them came after the last one that was delivered; and not before
        -- there was a sale, for a group that has read nothing.
        local after = math.max(moment(group['last-delivered-id']), info.created_at_ms)
        since = math.min(since or after, after)
      end
    end
    tell('flashsale_orders_waiting_ms', labels, since and math.max(info.now_ms - since, 0) or 0)
  end
end

local FIELDS = {
  'total', 'available', 'reserved', 'sold', 'refunded', 'users', 'reservations_open',
  'reservations_remembered', 'memory_bytes',
}

local function tell_sale(sale)
  -- On another node of the cluster; or gone, which FLASHSALE.INFO would count as an error.
  local kind = ask('TYPE', sale)
  if not kind or kind.ok ~= 'flashsale' then
    return
  end
  local info = by_name(ask('FLASHSALE.INFO', sale))
  for _, field in ipairs(FIELDS) do
    tell('flashsale_sale_' .. field, {'sale', sale}, info[field])
  end
  tell('flashsale_sale_state', {'sale', sale, 'state', info.state}, 1)
  tell_orders(sale, info)
end

local loaded = 0
for name, number in string.gmatch(redis.call('INFO', 'flashsale'), 'flashsale_([%w_]+):(%d+)') do
  loaded = 1
  local kind, which = string.match(name, '^(%a+)_([%a_]+)$')
  if kind == 'outcome' then
    tell('flashsale_outcomes_total', {'outcome', which}, tonumber(number))
  elseif kind == 'error' then
    tell('flashsale_errors_total', {'code', which}, tonumber(number))
  else
    tell('flashsale_' .. name, {}, tonumber(number))
  end
end
tell('flashsale_loaded', {}, loaded)
if loaded == 1 then
  for i, sale in ipairs(sales()) do
    if i <= SALES_MAX then
      tell_sale(sale)
    end
  end
end
return out
