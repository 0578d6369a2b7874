-- Takes a prompt back that no engine has claimed. The last one that waited takes the pause with it.
--
-- KEYS  prompts, prompt ids, paused, control
-- ARGV  group, prompt id
-- Reply the entry's fields, or nothing: it was claimed, or there is none

local id = redis.call('HGET', KEYS[2], ARGV[2])
local entry = id and redis.call('XRANGE', KEYS[1], id, id)[1]
if not entry or redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1] then
  return false
end
redis.call('XDEL', KEYS[1], id)
if redis.call('XLEN', KEYS[1]) <= redis.call('XPENDING', KEYS[1], ARGV[1])[1] then
  redis.call('DEL', KEYS[3])
end
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 100, '*', 'type', 'withdraw')
return entry[2]
