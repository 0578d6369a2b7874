-- Gives a lease up, if it is still this engine's.
--
-- KEYS  lease, control
-- ARGV  engine_id

local held = redis.call('GET', KEYS[1])
if held and cjson.decode(held).engine_id == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100, '*', 'type', 'engine')
end
