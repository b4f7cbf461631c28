-- What this program calls and its user may not.
--
-- KEYS: a key as a table has. ARGV: a key as limits have, the channel of a table. Returns the names of the commands; or,
-- where there are none, the error of a master that takes no writes now.

local key, limits, channel = KEYS[1], ARGV[1], ARGV[2]
local needed = {
  { 'eval', 'return 1', '1', key }, { 'evalsha', string.rep('0', 40), '1', key }, { 'info', 'replication' }, { 'ping' },
  { 'publish', channel, '' }, { 'scan', '0' }, { 'subscribe', channel }, { 'time' }, { 'unsubscribe', channel },
  { 'get', limits }, { 'set', limits, '' },
  { 'exists', key }, { 'expire', key, '1' }, { 'unlink', key },
  { 'hdel', key, '' }, { 'hget', key, '' }, { 'hincrby', key, '', '1' }, { 'hlen', key }, { 'hmget', key, '' },
  { 'hset', key, '', '' },
  { 'zadd', key, '0', '' }, { 'zcard', key }, { 'zlexcount', key, '-', '+' }, { 'zrange', key, '0', '0' },
  { 'zrangebyscore', key, '0', '0' }, { 'zrank', key, '' }, { 'zrem', key, '' },
}

local denied = {}
for _, command in ipairs(needed) do
  if not redis.acl_check_cmd(unpack(command)) then
    denied[#denied + 1] = command[1]
  end
end
if #denied == 0 then
  local told = redis.pcall('hdel', key, '')
  if type(told) == 'table' and not string.find(told.err, 'READONLY', 1, true) then
    return told
  end
end
return denied
