-- Asks the engine to stop the running turn, and pauses the queue where prompts wait in it.
--
-- KEYS  prompts, paused, control, prompt ids, tombstone
-- ARGV  group, author, Unix time in ms, the id of the prompt whose turn is meant (empty: whichever runs)

if redis.call('EXISTS', KEYS[5]) == 1 then
  return
end
local function entry_of(prompt)
  local known = redis.call('HGET', KEYS[4], prompt)
  if known or prompt == '' then
    return known
  end
  -- Written by hand: its id is in its fields, or is its entry's.
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
    if entry[1] == prompt then
      return entry[1]
    end
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'id' and entry[2][i + 1] == prompt then
        return entry[1]
      end
    end
  end
end

local entry = entry_of(ARGV[4])
if entry == 'done' then
  return -- that turn has ended, and the one that runs now is another
end
if entry and redis.call('XRANGE', KEYS[1], entry, entry)[1]
  and not redis.pcall('XPENDING', KEYS[1], ARGV[1], entry, entry, 1)[1] then
  return -- it has not begun
end
-- Of a prompt that nobody knows (it has ended, or Redis lost it) the engine knows whether it is meant; nothing waits for it.
if (entry or ARGV[4] == '') and redis.call('EXISTS', KEYS[1]) == 1 then
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
  if redis.call('XLEN', KEYS[1]) > (pending.err and 0 or pending[1]) then
    redis.call('SET', KEYS[2], 1)
  end
end
local said = {'type', 'interrupt', 'author', ARGV[2], 'ts', ARGV[3], 'prompt_id', ARGV[4]}
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100, '*', unpack(said))
