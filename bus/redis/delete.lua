-- Deletes a session and leaves a tombstone. What frees memory comes first, so that it works where Redis is full.
--
-- KEYS  tombstone, then the session's keys
-- ARGV  for how many seconds the tombstone stays

for i = 2, #KEYS do
  redis.call('DEL', KEYS[i])
end
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
