-- A claimed prompt is answered: it will not be handed out again.
--
-- KEYS  prompts, control
-- ARGV  group, entry id

redis.call('XDEL', KEYS[1], ARGV[2])
redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100, '*', 'type', 'finished')
