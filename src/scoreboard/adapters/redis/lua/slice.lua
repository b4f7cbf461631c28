-- Read consecutive standings.
--
-- ARGV[1]: 'at', 'after' or 'around'.
-- ARGV[2]: a row, a member or a player.
-- ARGV[3]: how many at most, for 'around' on each side.
-- Returns the state, which is 'out_of_range' if the table may not hold all of them. If it is 'ready', epoch, offset,
-- total and age of the count follow. The age is in milliseconds, and -1 for an exact count. Then follow the row of the
-- first, its rank, and the members. The row is -1 if the player has no standing. Last follow the values of members that
-- do not contain the time.

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
  local row = call('ZRANK', ORDER, member(found, where, value))
  local radius = most
  most = 2 * radius + 1
  start = math.max(0, math.min(row - radius, total - most))
  if found.floor then
    start = math.max(0, row - radius) -- not shifted; near the floor the slice is out of range
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
