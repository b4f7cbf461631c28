-- Take from the allowances of several callers, each by GCRA (the generic cell rate algorithm of ITU-T I.371).
--
-- KEYS     one a caller
-- ARGV[1]  microseconds since 1970, or '' for this server's own clock
-- ARGV[2..] for each caller the limit, the period in microseconds, how many takings, and the cost of each, in order
-- Returns two a taking: 1 when it was allowed or 0, and what the caller owes after it.
--
-- A key holds "at owed": at the instant `at` the caller still owed `owed`, in microseconds times the limit, so that
-- each microsecond pays back a whole number (the limit) and one costs a whole number (the period). A limit times its
-- period stays under 2^53, up to which Lua's numbers are exact; `tostring` is not, hence the formats. Where the clock
-- went back, as it may at a failover, nothing is paid back for that time, and it goes on from there.

local KEPT_MS = 60000 -- beyond what is needed: a key that is gone means that nothing is owed

local now = ARGV[1]
if now == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
else
  now = tonumber(now)
end

local told, next_argument = {}, 2

local function argument()
  next_argument = next_argument + 1
  return tonumber(ARGV[next_argument - 1])
end

for _, key in ipairs(KEYS) do
  local limit = argument()
  local period = argument()
  local takings = argument()
  local at, owed = now, 0
  local held = redis.call('GET', key)
  if held then
    local since, before = held:match('^(%d+) (%d+)$')
    at = tonumber(since)
    owed = math.max(tonumber(before) - math.min(math.max(now - at, 0), period) * limit, 0)
  end
  local changed = now < at
  for _ = 1, takings do
    local cost = argument()
    local allowed = owed + period * cost <= period * limit
    if allowed then
      owed = owed + period * cost
      changed = true
    end
    told[#told + 1] = allowed and 1 or 0
    told[#told + 1] = owed
  end
  if changed then
    local kept = math.ceil(owed / limit / 1000) + KEPT_MS
    redis.call('SET', key, string.format('%.0f %.0f', now, owed), 'PX', string.format('%.0f', kept))
  end
end
return told
