-- Become the builder of a table that nobody has made, or is making.
--
-- ARGV: the epoch it gets, milliseconds until the builder counts as dead, width of score and tie in a member,
-- numbering, how many of the best to keep (0: all), '1' for a table that is there only. One that keeps less than half
-- of that, or far more, is made anew. Returns 'ready', 'building' (by another), 'absent' or 'claimed': then the table is
-- there, empty, and takes updates.

local found = opened()
local now, keep = now_ms(), tonumber(ARGV[5])

local function fits()
  if keep == 0 then
    return not found.floor
  end
  return found.total - keep <= CUT_MOST and (not found.floor or found.total >= keep / 2)
end

if found.state == 'ready' and fits() then
  return 'ready'
elseif found.state ~= 'ready' and ARGV[6] == '1' then
  return found.state
elseif found.state == 'building' and tonumber(call('HGET', META, 'until')) > now then
  return 'building'
end
wiped()
call('HSET', META, 'state', 'building', 'history', history() or '', 'epoch', ARGV[1], 'until', now + ARGV[2],
  'offset', 0, 'top', 0, 'total', 0, 'width', ARGV[3], 'numbering', ARGV[4], 'capped', keep > 0 and '1' or '')
return 'claimed'
