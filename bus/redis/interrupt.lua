-- Asks the engine to stop the running turn, and pauses the queue where prompts wait in it.
--
-- KEYS  prompts, paused, control
-- ARGV  group, author, Unix time in ms

if redis.call('EXISTS', KEYS[1]) == 1 then
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
  if redis.call('XLEN', KEYS[1]) > (pending.err and 0 or pending[1]) then
    redis.call('SET', KEYS[2], 1)
  end
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100, '*', 'type', 'interrupt', 'author', ARGV[2], 'ts', ARGV[3])
