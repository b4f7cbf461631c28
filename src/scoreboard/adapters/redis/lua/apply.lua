-- Apply absolute standings that are newer than those in the table.
--
-- ARGV[1]: top N of the board.
-- ARGV[2]: '1' to return ranks.
-- ARGV[3]: channel of the table.
-- ARGV[4]: the epoch of the build, '' unless the caller is the builder.
-- ARGV[5]: milliseconds until the builder counts as dead.
-- ARGV[6]: how many of the best to keep, 0 for all.
-- ARGV[7]: '1' when the values were read from the totals, as a proof that this script required.
-- ARGV[8..]: player and value in turn, at most 1,000, each player once.
-- Returns the state and the numbers (from 0) of the standings that need a proof. If the state is 'ready' and ranks are
-- requested, the rank and the previous rank of each follow (0 for none).
--
-- A capped table knows no version of a player it does not hold, so a late old standing would look new. A player who
-- would enter therefore waits in PENDING, and the caller reads the totals as a proof. The proof is at least as new as
-- every standing that was applied before the player waited. A newer standing finds the player in PENDING or HELD.

local top_n, place, channel, builder = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3], ARGV[4]
local keep, proven = tonumber(ARGV[6]), ARGV[7] == '1'
local PENDING_S = 3600 -- after that, no proof is expected
local FIRST = 8
local opened_table = opened()
if builder ~= '' then
  if opened_table.state ~= 'building' or opened_table.epoch ~= builder then
    return { 'absent', {} }
  end
  call('HSET', META, 'until', now_ms() + ARGV[5])
  call('EXPIRE', GONE, GONE_FOR_S)
  call('EXPIRE', GONE_AT, GONE_FOR_S)
end
if opened_table.state == 'absent' then
  return { 'absent', {} }
end
local ready = opened_table.state == 'ready'
place = place and ready

local players = {}
for i = FIRST, #ARGV, 2 do
  players[#players + 1] = ARGV[i]
end
local held = call('HMGET', HELD, unpack(players))
local in_part = opened_table.floor or (not ready and opened_table.capped and builder == '')
local waiting = in_part and call('EXISTS', PENDING) == 1 and call('HMGET', PENDING, unpack(players)) or {}
local last_of_top = ready and call('ZRANGE', ORDER, top_n - 1, top_n - 1)[1]

local function in_top(of)
  return not last_of_top or not before(last_of_top, of)
end

local function is_newer(player, value, old)
  local known = old and version(old) or call('HGET', GONE, player)
  return not known or before(known, version(value))
end

local function wait(player, value)
  write_nothing() -- otherwise full memory would also fail the updates of players who are held
  call('HSET', PENDING, player, value)
  call('EXPIRE', PENDING, PENDING_S)
end

local answer, to_prove, total, any, of_top = { opened_table.state, {} }, {}, opened_table.total, false, false

-- Return true if a player who is not held may enter now.
local function may_enter(i, player, value, known)
  if not in_part or (proven and known) then
    return not is_behind(opened_table, member(opened_table, player, value))
  elseif not is_behind(opened_table, member(opened_table, player, value)) then
    if is_newer(player, value) then
      wait(player, value)
      to_prove[#to_prove + 1] = i - 1
    end
  elseif known then
    wait(player, value)
  end
  return false
end

for i, player in ipairs(players) do
  local value, old, known = ARGV[FIRST - 1 + 2 * i], held[i], waiting[i]
  if known and before(version(value), version(known)) then
    value = known
  end
  if known and proven then
    call('HDEL', PENDING, player)
  end
  local was = old and member(opened_table, player, old)
  local rank_before = place and old and rank(opened_table, was) or 0
  local is = was
  if (old or may_enter(i, player, value, known)) and is_newer(player, value, old) then
    any = true
    is = member(opened_table, player, value)
    local leaves = is_behind(opened_table, is)
    if is ~= was then
      -- The last of the top N stays the same until an entry moves within the top N.
      of_top = of_top or in_top(is) or (old and in_top(was))
      if old then
        take_out(opened_table, player, old)
      else
        total = total + 1
        call('HDEL', GONE, player)
        call('ZREM', GONE_AT, player)
      end
      if not leaves then
        put_in(opened_table, player, value)
      end
    end
    if leaves then
      call('HDEL', HELD, player)
      is, total = nil, total - 1
    else
      call('HSET', HELD, player, value)
    end
  end
  if place then
    answer[#answer + 1] = is and rank(opened_table, is) or 0
    answer[#answer + 1] = rank_before
  end
end
if total ~= opened_table.total then
  call('HSET', META, 'total', total)
  opened_table.total = total
end
if ready then
  if any then
    changed(opened_table, channel, of_top)
  end
  keep_best(opened_table, keep)
end
answer[2] = to_prove
return answer
