-- What every script of a table begins with.
--
-- KEYS, all of one slot:
--   1  sorted set, all at score 0: the standings as `score tie player`, best first
--   2  hash: player -> `score time version` of the standing
--   3  hash: what is known of the table (state, history, epoch, until, offset, top, total, width, numbering, and of one
--      that is capped: capped, floor, counted, counted_at)
--   4  hash: player -> version of a standing that was taken out
--   5  sorted set: those players, by the second of that
--   6  sorted set, all at score 0: the distinct scores, best first (dense numbering only)
--   7  hash: score -> how many have it (dense numbering only)
--   8  hash: player -> value that is to be proven, where not all standings are kept
-- Scores, ties, times and versions are 16 hexadecimal digits each, which are never made numbers of.
--
-- A table may hold its best part only. Then it has a floor: every standing whose member is not behind that is in it. What
-- is behind is not known here, but for how many standings there were in all when they were last counted.

local ORDER, HELD, META, GONE, GONE_AT, SCORES, COUNTS, PENDING = unpack(KEYS)
local GONE_FOR_S = 3600 -- an update from before a removal comes sooner than this
local AT_ONCE = 1000 -- of what Lua's `unpack` takes
local CUT_MOST = 10000 -- standings: a table with more than that to lose is made anew instead
local call, sub, byte = redis.call, string.sub, string.byte

-- By bytes: Lua's own `<` follows the locale.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

local function version(value)
  return sub(value, 33)
end

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The name of the writes this server has seen, 40 digits; nothing on one that is not a master.
local function history()
  local told = call('INFO', 'replication')
  local _, at = string.find(told, 'master_replid:', 1, true)
  return string.find(told, 'role:master', 1, true) and sub(told, at + 1, at + 40)
end

-- Whether all keys are there: a server short of memory may be told to let go of any.
local function whole(total, dense)
  if call('ZCARD', ORDER) ~= total or call('HLEN', HELD) ~= total then
    return false
  end
  local scores = dense and call('ZCARD', SCORES) or 0
  return not dense or (call('HLEN', COUNTS) == scores and (scores > 0 or total == 0))
end

-- The table as it may be used; its state is 'absent' when nothing in it may be. `total` is how many it holds.
local function opened()
  local found = call('HMGET', META,
    'state', 'history', 'epoch', 'offset', 'total', 'width', 'numbering', 'floor', 'capped')
  local state, written = found[1], found[2]
  if not state or written ~= history() then
    return { state = 'absent' }
  end
  local dense, total = found[7] == 'dense', tonumber(found[5])
  if state == 'ready' and not whole(total, dense) then
    return { state = 'absent' }
  end
  return {
    state = state, epoch = found[3], offset = found[4], total = total,
    width = tonumber(found[6]), numbering = found[7], dense = dense, floor = found[8], capped = found[9] == '1',
  }
end

-- A write that changes nothing and needs no memory. It fails where the server takes no writes now (too few replicas, a
-- disk that fails); where it does not, none that follows is refused for want of memory.
local function write_nothing()
  call('HDEL', META, '')
end

-- The table as it may be read: not on a server that takes no writes, and does not have what was made durable since then.
local function readable()
  write_nothing()
  return opened()
end

local function member(opened_table, player, value)
  return sub(value, 1, opened_table.width) .. player
end

-- How many have a better score.
local function better(score)
  return call('ZLEXCOUNT', ORDER, '-', '(' .. score)
end

-- The rank of a member by the board's numbering; `place` (from 0) is its place where that is known.
local function rank(opened_table, of, place)
  if opened_table.dense then
    return call('ZRANK', SCORES, sub(of, 1, 16)) + 1
  elseif opened_table.numbering == 'competition' then
    return better(sub(of, 1, 16)) + 1
  end
  return (place or call('ZRANK', ORDER, of)) + 1
end

-- Keep the distinct scores: `by` more have this one.
local function count(score, by)
  local left = call('HINCRBY', COUNTS, score, by)
  if left == 0 then
    call('HDEL', COUNTS, score)
    call('ZREM', SCORES, score)
  elseif left == by then
    call('ZADD', SCORES, 0, score)
  end
end

local function take_out(opened_table, player, value)
  call('ZREM', ORDER, member(opened_table, player, value))
  if opened_table.dense then
    count(sub(value, 1, 16), -1)
  end
end

local function put_in(opened_table, player, value)
  call('ZADD', ORDER, 0, member(opened_table, player, value))
  if opened_table.dense then
    count(sub(value, 1, 16), 1)
  end
end

-- How many standings the table has in all, and how many milliseconds ago that was (-1: now).
local function counted(opened_table)
  if not opened_table.floor then
    return opened_table.total, -1
  end
  local known = call('HMGET', META, 'counted', 'counted_at')
  return math.max(tonumber(known[1]), opened_table.total), math.max(now_ms() - known[2], 0)
end

local function is_behind(opened_table, of)
  return opened_table.floor and before(opened_table.floor, of)
end

-- Let the standings from a place on go, which are all behind the floor.
local function cut(opened_table, place, floor)
  while opened_table.total > place do
    local members = call('ZRANGE', ORDER, math.max(place, opened_table.total - AT_ONCE), -1)
    local players = {}
    for i, one in ipairs(members) do
      players[i] = sub(one, opened_table.width + 1)
      if opened_table.dense then
        count(sub(one, 1, 16), -1)
      end
    end
    call('ZREM', ORDER, unpack(members))
    call('HDEL', HELD, unpack(players))
    opened_table.total = opened_table.total - #members
  end
  opened_table.floor = floor
  call('HSET', META, 'floor', floor, 'total', opened_table.total)
end

-- Keep only the best; all there were are counted before the first goes.
local function keep_best(opened_table, keep)
  local over = opened_table.total - keep
  if keep == 0 or over <= 0 or over > CUT_MOST then
    return
  elseif not opened_table.floor then
    call('HSET', META, 'counted', opened_table.total, 'counted_at', now_ms())
  end
  cut(opened_table, keep, call('ZRANGE', ORDER, keep - 1, keep - 1)[1])
end

-- Forget all but who was taken out, which must hold for the table that is made next.
local function wiped()
  call('UNLINK', ORDER, HELD, META, SCORES, COUNTS, PENDING)
end

-- Note a change; and tell it, when it is one of the top.
local function changed(opened_table, channel, of_top)
  local offset = call('HINCRBY', META, 'offset', 1)
  if of_top then
    call('HSET', META, 'top', offset)
    call('PUBLISH', channel, opened_table.epoch .. ' ' .. offset)
  end
end
