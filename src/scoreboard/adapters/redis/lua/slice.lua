-- Standings at consecutive places.
--
-- ARGV: how it is found ('at' a place, 'after' a member, 'around' a player), that, and how many at most (around: how
-- many on each side). Returns the state, 'out_of_range' where not all that is asked for is known to be here; and if it is
-- 'ready', epoch, offset, total, how many milliseconds ago that was counted (-1: now), place of the first (-1 when the
-- player has none), rank of the first, the members, and the values of those whose members do not tell the time.

local how, where, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local found = readable()
if found.state ~= 'ready' then
  return { found.state }
end
local total, age = counted(found)

local start
if how == 'at' then
  start = tonumber(where)
elseif how == 'after' then
  if is_behind(found, where) then
    return { 'out_of_range' }
  end
  start = call('ZLEXCOUNT', ORDER, '-', '[' .. where)
else
  local value = call('HGET', HELD, where)
  if not value then
    return found.floor and { 'out_of_range' } or { 'ready', found.epoch, found.offset, total, age, -1, 0, {}, {} }
  end
  local place = call('ZRANK', ORDER, member(found, where, value))
  local radius = most
  most = 2 * radius + 1
  start = math.max(0, math.min(place - radius, total - most))
  if found.floor then
    start = math.max(0, place - radius) -- and not shifted: as many follow, or it is beyond
  end
end
if found.floor and start + most > found.total then
  return { 'out_of_range' }
end

local members = most > 0 and call('ZRANGE', ORDER, start, start + most - 1) or {}
local values = {}
if found.width == 16 then
  for i, one in ipairs(members) do
    values[i] = call('HGET', HELD, sub(one, 17))
  end
end
local first = members[1] and rank(found, members[1], start) or 0
return { 'ready', found.epoch, found.offset, total, age, start, first, members, values }
