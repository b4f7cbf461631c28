-- Take a standing of a version, or an older one, out; a newer one stays. No update from before brings it back.
--
-- ARGV: player, version, channel of the table.

local player, removed, channel = unpack(ARGV)
write_nothing() -- who was deleted goes, with the memory full too
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
  -- A table that is being made may still meet any of them in what it reads.
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
