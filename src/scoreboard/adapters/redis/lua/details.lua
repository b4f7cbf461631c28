-- The table's state, and players' standings among the others.
--
-- ARGV: players. Returns the state; and if that is 'ready', epoch, offset, total, how many milliseconds ago that was
-- counted (-1: now), how many standings are kept (-1: all), and for each player nothing, or value, place, rank, how many
-- are better, how many worse, and the nearest better score ('' for none). With a floor, nothing is told of whom it does
-- not hold, and of those who tie with the last it holds: others may, too.

local found = readable()
if found.state ~= 'ready' then
  return { found.state }
end

local total, age = counted(found)

local function details(player)
  local value = call('HGET', HELD, player)
  if not value then
    return {}
  end
  local of, score = member(found, player, value), sub(value, 1, 16)
  if found.floor and score == sub(found.floor, 1, 16) then
    return {}
  end
  local place, ahead = call('ZRANK', ORDER, of), better(score)
  -- No player id has a byte of 255: it is not in UTF-8.
  local worse = total - call('ZLEXCOUNT', ORDER, '-', '(' .. score .. '\255')
  local nearest = ahead > 0 and sub(call('ZRANGE', ORDER, ahead - 1, ahead - 1)[1], 1, 16) or ''
  return { value, place, rank(found, of, place), ahead, worse, nearest }
end

local answer = { 'ready', found.epoch, found.offset, total, age, found.floor and found.total or -1 }
for _, player in ipairs(ARGV) do
  answer[#answer + 1] = details(player)
end
return answer
