-- Read the state of a table, and players' standings among the others.
--
-- ARGV: players.
-- Returns the state. If it is 'ready', epoch, offset, total, age of the count and number of kept standings follow. The
-- age is in milliseconds, and -1 for an exact count. The number is -1 if all are kept.
-- Then follows a list for each player. It has value, row, rank, number of better and of worse standings, and the
-- nearest better score ('' for none). It is empty for a player without a standing.
-- With a floor, it is also empty for players who are not held, and for those who tie with the floor. Players behind the
-- floor may have the same score as these.

local found = readable()
if found.state ~= 'ready' then
  return { found.state }
end

local total, age = counted(found)

local function get_rank(player)
  local value = call('HGET', HELD, player)
  if not value then
    return {}
  end
  local of, score = member(found, player, value), sub(value, 1, 16)
  if found.floor and score == sub(found.floor, 1, 16) then
    return {}
  end
  local row, ahead = call('ZRANK', ORDER, of), better(score)
  -- No player id contains the byte 255, which is invalid in UTF-8.
  local worse = total - call('ZLEXCOUNT', ORDER, '-', '(' .. score .. '\255')
  local nearest = ahead > 0 and sub(call('ZRANGE', ORDER, ahead - 1, ahead - 1)[1], 1, 16) or ''
  return { value, row, rank(found, of, row), ahead, worse, nearest }
end

local answer = { 'ready', found.epoch, found.offset, total, age, found.floor and found.total or -1 }
for _, player in ipairs(ARGV) do
  answer[#answer + 1] = get_rank(player)
end
return answer
