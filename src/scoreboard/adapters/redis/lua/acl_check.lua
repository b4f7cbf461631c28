-- Find the commands that this program needs and its user may not call.
--
-- KEYS[1]: a key of a table.
-- ARGV[1]: a key of a rate limit.
-- ARGV[2]: the channel of a table.
-- Returns the names of the denied commands. If there are none, and a master accepts no writes now, returns its error.

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
  local reply = redis.pcall('hdel', key, '')
  if type(reply) == 'table' and not string.find(reply.err, 'READONLY', 1, true) then
    return reply
  end
end
return denied
