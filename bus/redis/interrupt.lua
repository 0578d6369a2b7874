-- Asks the engine to stop the running turn, and pauses the queue where prompts wait in it.
--
-- KEYS  prompts, paused, control, prompt ids, tombstone
-- ARGV  group, author, Unix time in ms, the id of the prompt whose turn is meant (empty: whichever runs)

if redis.call('EXISTS', KEYS[5]) == 1 then
  return
end
-- One that was written by hand has the id of its entry.
local entry = redis.call('HGET', KEYS[4], ARGV[4]) or ARGV[4]
if entry == 'done' then
  return -- that turn has ended, and the one that runs now is another
end
if redis.pcall('XRANGE', KEYS[1], entry, entry)[1] and not redis.pcall('XPENDING', KEYS[1], ARGV[1], entry, entry, 1)[1] then
  return -- it has not begun
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
  if redis.call('XLEN', KEYS[1]) > (pending.err and 0 or pending[1]) then
    redis.call('SET', KEYS[2], 1)
  end
end
local said = {'type', 'interrupt', 'author', ARGV[2], 'ts', ARGV[3], 'prompt_id', ARGV[4]}
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100, '*', unpack(said))
