-- Finish the build of a table. An empty or incomplete table is deleted, any other becomes readable.
--
-- ARGV[1]: the epoch of the build.
-- ARGV[2]: '1' when all standings were written.
-- ARGV[3]: channel of the table.
-- ARGV[4]: how many of the best to keep, 0 for all.
-- ARGV[5]: the floor, '' when all of the ledger's totals were written.
-- ARGV[6]: number of the ledger's totals.
-- Returns 'ready', 'empty' or 'absent'.

local found = opened()
if found.state ~= 'building' or found.epoch ~= ARGV[1] then
  return 'absent'
end
local floor = ARGV[5]
if ARGV[2] == '1' and floor ~= '' then
  -- Updates during the build may have added some of the standings behind the floor, but not all of them.
  cut(found, call('ZLEXCOUNT', ORDER, '-', '[' .. floor), floor)
  call('HSET', META, 'counted', ARGV[6], 'counted_at', now_ms())
end
if ARGV[2] ~= '1' or (found.total == 0 and floor == '') or not whole(found.total, found.dense) then
  wiped()
  return ARGV[2] == '1' and found.total == 0 and 'empty' or 'absent'
end
call('HSET', META, 'state', 'ready')
keep_best(found, tonumber(ARGV[4]))
changed(found, ARGV[3], true)
return 'ready'
