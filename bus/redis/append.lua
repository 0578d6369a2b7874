-- Adds a writer's records to a stream, each once, whatever is repeated.
--
-- KEYS  events, state, tombstone
-- ARGV  writer, epoch, first_seq, follows, width, then `width` field names and values for each record,
--       then, where the writer knows it, the number `n` of the entry before its record 1
-- Reply {status, last_seq, n}: as AppendResult in bus/stream.py says
--
-- State and entries change in one script, so every copy of the data (file, replica) holds a consistent pair.

local writer, epoch, first = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local follows, width = tonumber(ARGV[4]), tonumber(ARGV[5])
local HEAD = 5
local count = math.floor((#ARGV - HEAD) / width)
local base = (#ARGV - HEAD) % width == 1 and tonumber(ARGV[#ARGV])

local state = redis.call('HMGET', KEYS[2], 'e', 'w', 'q', 'n')
local state_epoch = tonumber(state[1] or -1)
local last = tonumber(state[3] or 0)
local n = tonumber(state[4] or 0)
if redis.call('EXISTS', KEYS[1]) == 0 then
  last = 0 -- somebody deleted the stream alone, or moved it away; the numbers go on, so that a hole tells of it
end

if redis.call('EXISTS', KEYS[3]) == 1 or epoch < state_epoch or (epoch == state_epoch and state[2] ~= writer) then
  return {'fenced', last, n}
end
if epoch > state_epoch then
  last = 0
end
if follows > last then
  return {'gap', last, n}
end
local ending = first + count - 1
if ending <= last then
  redis.call('HSET', KEYS[2], 'q', state[3]) -- WAIT counts only for what its own connection has written
  return {'duplicate', last, n}
end

local start = math.max(first, last + 1)
if base then
  n = base + start - 1 -- what is written again keeps its number, and what is lost for good leaves a hole
end
for seq = start, ending do
  n = n + 1
  local from = HEAD + (seq - first) * width + 1
  local fields = {unpack(ARGV, from, from + width - 1)}
  fields[#fields + 1] = 'n'
  fields[#fields + 1] = string.format('%.0f', n)
  redis.call('XADD', KEYS[1], '*', unpack(fields))
end
redis.call('HSET', KEYS[2], 'e', ARGV[2], 'w', writer, 'q', string.format('%.0f', ending), 'n', string.format('%.0f', n))
return {'ok', ending, n}
