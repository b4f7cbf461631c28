-- End the making of a table: it answers from now on. One that came out empty, or not whole, is not kept.
--
-- ARGV: the epoch of the builder, '1' when all that belongs in it is in, channel of the table, how many of the best to
-- keep (0: all), the floor ('' when all of the ledger's totals are in), how many totals there are. Returns 'ready',
-- 'empty' or 'absent'.

local found = opened()
if found.state ~= 'building' or found.epoch ~= ARGV[1] then
  return 'absent'
end
local floor = ARGV[5]
if ARGV[2] == '1' and floor ~= '' then
  -- What was put in by updates meanwhile, and is behind, is not all there is.
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
