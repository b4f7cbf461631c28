-- Remove a standing of this version or an older one. A newer one stays, and no older update restores it.
--
-- ARGV: player, version, channel of the table.

local player, removed, channel = unpack(ARGV)
write_nothing() -- so that a removal succeeds with full memory too
local opened_table = opened()
local present = opened_table.state ~= 'absent'
local value = present and call('HGET', HELD, player)
local waiting = present and call('HGET', PENDING, player)
if waiting and not before(removed, version(waiting)) then
  call('HDEL', PENDING, player)
end
if value and before(removed, version(value)) then
  return 0
end
local known = call('HGET', GONE, player)
if not known or before(known, removed) then
  call('HSET', GONE, player, removed)
end
local now = tonumber(call('TIME')[1])
call('ZADD', GONE_AT, now, player)
call('EXPIRE', GONE, GONE_FOR_S)
call('EXPIRE', GONE_AT, GONE_FOR_S)
if opened_table.state ~= 'building' then
  -- During a build, the totals may still contain any of the removed players.
  local old = call('ZRANGEBYSCORE', GONE_AT, '-inf', now - GONE_FOR_S, 'LIMIT', 0, 100)
  if #old > 0 then
    call('HDEL', GONE, unpack(old))
    call('ZREM', GONE_AT, unpack(old))
  end
end
if not value then
  return 0
end
take_out(opened_table, player, value)
call('HDEL', HELD, player)
call('HINCRBY', META, 'total', -1)
if opened_table.floor then
  call('HINCRBY', META, 'counted', -1)
end
if opened_table.state == 'ready' then
  changed(opened_table, channel, true)
end
return 1
