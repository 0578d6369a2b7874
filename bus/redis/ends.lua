-- Where a stream ends, without what its entries say, which may be big.
--
-- KEYS  events, then state where the stream is a session's
-- Reply {length, id of the first entry, last id ever given, last entry with its short values, number in the state}

local given = KEYS[2] and redis.pcall('HGET', KEYS[2], 'n')
local number = type(given) == 'string' and given or '0' -- a user who may not read the state gets an error here
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0, '0-0', '0-0', false, number}
end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local found = {}
for i = 1, #info, 2 do
  found[info[i]] = info[i + 1]
end
local first, last = found['first-entry'], found['last-entry']
for i = 2, last and #last[2] or 0, 2 do
  if #last[2][i] > 64 then
    last[2][i] = ''
  end
end
return {found.length, first and first[1] or '0-0', found['last-generated-id'], last, number}
