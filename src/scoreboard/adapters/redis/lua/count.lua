-- Store the count of all standings of a table with a floor.
--
-- ARGV: the count, channel of the table.

local found = opened()
if found.state ~= 'ready' or not found.floor then
  return 0
end
local before_now = counted(found)
write_nothing() -- overwritten fields take no additional memory
call('HSET', META, 'counted', ARGV[1], 'counted_at', now_ms())
if counted(found) ~= before_now then
  changed(found, ARGV[2], false)
end
return 1
