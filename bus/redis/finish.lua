-- A claimed prompt is answered, or set aside: it will not be handed out again.
--
-- KEYS  prompts, control, prompt ids, dead
-- ARGV  group, entry id, prompt id, 1 to set it aside

local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if entry and ARGV[4] == '1' then
  redis.call('XADD', KEYS[4], '*', unpack(entry[2]))
end
redis.call('XDEL', KEYS[1], ARGV[2])
redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 1 then
  redis.call('HSET', KEYS[3], ARGV[3], 'done')
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100, '*', 'type', 'finished')
