-- Common beginning of all scripts of a table.
--
-- All KEYS are in one slot.
--   1  sorted set, all at score 0: the standings as `score tie player`, best first.
--   2  hash: player -> `score time version` of the standing.
--   3  hash: metadata, namely state, history, epoch, until, offset, top, total, width and numbering. A capped table
--      also has capped, floor, counted and counted_at.
--   4  hash: player -> version of a removed standing.
--   5  sorted set: those players, by the second of the removal.
--   6  sorted set, all at score 0: the distinct scores, best first (dense numbering only).
--   7  hash: score -> number of standings with it (dense numbering only).
--   8  hash: player -> value that waits for a proof (capped tables only).
-- Scores, ties, times and versions are 16 hexadecimal digits each, which are never converted to numbers.
--
-- A capped table holds its best part and has a floor. It holds every standing whose member is not behind the floor. Of
-- the others it knows only how many there were in all at the last count.

local ORDER, HELD, META, GONE, GONE_AT, SCORES, COUNTS, PENDING = unpack(KEYS)
local GONE_FOR_S = 3600 -- An update from before a removal arrives earlier than this.
local AT_ONCE = 1000 -- Lua's `unpack` takes a few thousand values.
local CUT_MOST = 10000 -- A table that must lose more standings is rebuilt instead.
local call, sub, byte = redis.call, string.sub, string.byte

-- Compare bytes, because Lua's own `<` follows the locale.
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

-- Return the replication id of a master, 40 digits; nil on a replica.
local function history()
  local info = call('INFO', 'replication')
  local _, at = string.find(info, 'master_replid:', 1, true)
  return string.find(info, 'role:master', 1, true) and sub(info, at + 1, at + 40)
end

-- Return true if all keys exist; a server with an eviction policy may have evicted some.
local function whole(total, dense)
  if call('ZCARD', ORDER) ~= total or call('HLEN', HELD) ~= total then
    return false
  end
  local scores = dense and call('ZCARD', SCORES) or 0
  return not dense or (call('HLEN', COUNTS) == scores and (scores > 0 or total == 0))
end

-- Return the metadata of the table; `total` is how many standings it holds. An unusable table is 'absent'.
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

-- Make a write that changes nothing and needs no memory. It fails if the server accepts no writes now, because of too
-- few replicas or a failing disk. If it succeeds, no later write of the script is refused because of full memory.
local function write_nothing()
  call('HDEL', META, '')
end

-- Return the table for a read. It fails on a server that accepts no writes, whose data may be outdated.
local function readable()
  write_nothing()
  return opened()
end

local function member(opened_table, player, value)
  return sub(value, 1, opened_table.width) .. player
end

-- Return the number of standings with a better score.
local function better(score)
  return call('ZLEXCOUNT', ORDER, '-', '(' .. score)
end

-- Return the rank of a member by the board's numbering; `row` (from 0) is its row if known.
local function rank(opened_table, of, row)
  if opened_table.dense then
    return call('ZRANK', SCORES, sub(of, 1, 16)) + 1
  elseif opened_table.numbering == 'competition' then
    return better(sub(of, 1, 16)) + 1
  end
  return (row or call('ZRANK', ORDER, of)) + 1
end

-- Add `by` to the number of standings with this score.
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

-- Return the number of all standings, and the age of that count in milliseconds (-1: exact).
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

-- Remove the standings from a row on, which are all behind the floor.
local function cut(opened_table, row, floor)
  while opened_table.total > row do
    local members = call('ZRANGE', ORDER, math.max(row, opened_table.total - AT_ONCE), -1)
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

-- Keep only the best; all standings are counted before the first is removed.
local function keep_best(opened_table, keep)
  local over = opened_table.total - keep
  if keep == 0 or over <= 0 or over > CUT_MOST then
    return
  elseif not opened_table.floor then
    call('HSET', META, 'counted', opened_table.total, 'counted_at', now_ms())
  end
  cut(opened_table, keep, call('ZRANGE', ORDER, keep - 1, keep - 1)[1])
end

-- Delete all but the removed players, who must also stay out of the next build.
local function wiped()
  call('UNLINK', ORDER, HELD, META, SCORES, COUNTS, PENDING)
end

-- Advance the offset, and publish a change of the top N.
local function changed(opened_table, channel, of_top)
  local offset = call('HINCRBY', META, 'offset', 1)
  if of_top then
    call('HSET', META, 'top', offset)
    call('PUBLISH', channel, opened_table.epoch .. ' ' .. offset)
  end
end
