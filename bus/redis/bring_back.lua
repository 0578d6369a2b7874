-- Puts the copies of a session's keys in their places, all at once. Where Redis holds something there, it is newer.
--
-- KEYS  tombstone, meta, then pairs: a copy, its place
-- Reply 'ok' | 'there' somebody was faster | 'deleted' | 'lost' the copies are not complete any more

local function leave(reply)
  for i = 3, #KEYS, 2 do
    redis.call('DEL', KEYS[i])
  end
  return reply
end

if redis.call('EXISTS', KEYS[1]) == 1 then
  return leave('deleted')
end
if (redis.call('HGET', KEYS[2], 'stream_epoch') or '') ~= '' then
  return leave('there')
end
for i = 3, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    return leave('lost')
  end
end

for i = 3, #KEYS, 2 do
  local copy, place = KEYS[i], KEYS[i + 1]
  local kind, there = redis.call('TYPE', copy).ok, redis.call('TYPE', place).ok
  if there == 'hash' and kind == 'hash' then
    local newer = redis.call('HGETALL', place)
    for j = 1, #newer, 2 do
      redis.call('HSET', copy, newer[j], newer[j + 1])
    end
  elseif there == 'stream' and kind == 'stream' then
    for _, entry in ipairs(redis.call('XRANGE', place, '-', '+')) do
      redis.call('XADD', copy, entry[1], unpack(entry[2]))
    end
  end
  redis.call('RENAME', copy, place)
  redis.call('PERSIST', place)
end
return 'ok'
