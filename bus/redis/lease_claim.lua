-- Makes an engine the one that answers a session, in a new epoch that fences everybody before it.
--
-- KEYS  lease, state, tombstone, control
-- ARGV  engine_id, lifetime in ms, the lease as JSON without its epoch
-- Reply {'ok', epoch} | {'taken', lease} | {'deleted'}

if redis.call('EXISTS', KEYS[3]) == 1 then
  return {'deleted'}
end
local held = redis.call('GET', KEYS[1])
if held and cjson.decode(held).engine_id ~= ARGV[1] then
  return {'taken', held}
end
-- Above all epochs before, also where Redis has lost the last one: the clock in ms counts faster than engines do.
local now = redis.call('TIME')
local before = tonumber(redis.call('HGET', KEYS[2], 'e') or 0)
local epoch = math.max(before + 1, now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('HSET', KEYS[2], 'e', string.format('%.0f', epoch), 'w', ARGV[1], 'q', 0)
local lease = cjson.decode(ARGV[3])
lease.epoch = epoch
redis.call('SET', KEYS[1], cjson.encode(lease), 'PX', ARGV[2])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 100, '*', 'type', 'engine')
return {'ok', epoch}
