-- Acquire from the limits of several callers by GCRA (the generic cell rate algorithm of ITU-T I.371).
--
-- KEYS: one per caller.
-- ARGV[1]: microseconds since 1970, or '' for this server's clock.
-- ARGV[2..]: for each caller the limit, the period in microseconds, the number of requests, and the cost of each.
-- Returns two numbers per request. The first is 1 if it was allowed, else 0; the second is the caller's debt after it.
--
-- A key holds "at debt", the debt at the instant `at`, in microseconds times the limit. Each microsecond then repays a
-- whole number (the limit), and a request costs a whole number (the period). A limit times its period is below 2^53, up
-- to which Lua's numbers are exact. `tostring` is not exact, hence the formats. If the clock was set back, as in a
-- failover, nothing is repaid for that time.

local KEPT_MS = 60000 -- longer than needed, because an expired key means no debt

local now = ARGV[1]
if now == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
else
  now = tonumber(now)
end

local results, next_argument = {}, 2

local function argument()
  next_argument = next_argument + 1
  return tonumber(ARGV[next_argument - 1])
end

for _, key in ipairs(KEYS) do
  local limit = argument()
  local period = argument()
  local requests = argument()
  local at, debt = now, 0
  local held = redis.call('GET', key)
  if held then
    local since, before = held:match('^(%d+) (%d+)$')
    at = tonumber(since)
    debt = math.max(tonumber(before) - math.min(math.max(now - at, 0), period) * limit, 0)
  end
  local changed = now < at
  for _ = 1, requests do
    local cost = argument()
    local allowed = debt + period * cost <= period * limit
    if allowed then
      debt = debt + period * cost
      changed = true
    end
    results[#results + 1] = allowed and 1 or 0
    results[#results + 1] = debt
  end
  if changed then
    local kept = math.ceil(debt / limit / 1000) + KEPT_MS
    redis.call('SET', key, string.format('%.0f %.0f', now, debt), 'PX', string.format('%.0f', kept))
  end
end
return results
