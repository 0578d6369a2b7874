-- Changes what is listed of a session, unless it was deleted.
--
-- KEYS  meta, tombstone
-- ARGV  title (set where there is none), then names and values of fields
-- Reply 1, or 0: the session was deleted

if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
if ARGV[1] ~= '' and (redis.call('HGET', KEYS[1], 'title') or '') == '' then
  redis.call('HSET', KEYS[1], 'title', ARGV[1])
end
if #ARGV > 1 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 2))
end
return 1
