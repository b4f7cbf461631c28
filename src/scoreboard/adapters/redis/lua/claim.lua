-- Claim the build of a table that is absent, or whose size no longer fits.
--
-- ARGV[1]: the epoch of the build.
-- ARGV[2]: milliseconds until the builder counts as dead.
-- ARGV[3]: width of score and tie in a member.
-- ARGV[4]: numbering.
-- ARGV[5]: how many of the best to keep, 0 for all. A table with less than half of them, or far more, does not fit.
-- ARGV[6]: '1' to build only if the table is present.
-- Returns 'ready', 'building' (by another), 'absent' or 'claimed'. A claimed table is empty and accepts updates.

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
