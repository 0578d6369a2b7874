-- Queues a prompt, once, whatever is repeated.
--
-- KEYS  prompts, prompt ids, tombstone
-- ARGV  group, prompt id, then names and values of the entry's fields
-- Reply 1: queued, 0: it was there already, -1: the session was deleted

if redis.call('EXISTS', KEYS[3]) == 1 then
  return -1
end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then
  return 0
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
end
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
redis.call('HSET', KEYS[2], ARGV[2], id)
return 1
