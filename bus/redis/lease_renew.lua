-- Keeps a lease alive; brings it back where it is gone (the engine was slow, or Redis lost it) and nobody has taken over.
--
-- KEYS  lease, state, tombstone, meta
-- ARGV  engine_id, lifetime in ms, the lease as JSON, its epoch,
--       and, where nobody writes it again, the number of the newest entry
-- Reply 'ok' | 'lost' | 'forgotten' (renewed, but Redis does not know the session any more)

local held = redis.call('GET', KEYS[1])
if redis.call('EXISTS', KEYS[3]) == 1
  or (held and cjson.decode(held).engine_id ~= ARGV[1])
  or tonumber(redis.call('HGET', KEYS[2], 'e') or 0) > tonumber(ARGV[4]) then
  return 'lost'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2]) -- a full Redis still takes it, and then the rest of the script too
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
if tonumber(redis.call('HGET', KEYS[2], 'n') or 0) < tonumber(ARGV[5] or 0) then
  redis.call('HSET', KEYS[2], 'n', ARGV[5]) -- Redis has lost the end: the number lets every viewer count what is missing
end
if redis.call('HEXISTS', KEYS[4], 'stream_epoch') == 0 then
  return 'forgotten'
end
return 'ok'
