-- Hands a prompt to the engine that holds the lease: first one that was claimed and not finished, then the next.
--
-- KEYS  lease, prompts, paused, control
-- ARGV  group, engine_id, epoch
-- Reply {'lost'} | {'none'}
--       {entry id, fields, deliveries, control id}
-- A later interrupt has a greater id in control than the one given.

local held = cjson.decode(redis.call('GET', KEYS[1]) or '{}')
if held.engine_id ~= ARGV[2] or held.epoch ~= tonumber(ARGV[3]) then
  return {'lost'}
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return {'none'}
end
local made = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[1], '0')
if made.err and not made.err:find('BUSYGROUP') then
  return made
end

local function claimed(id, fields, deliveries)
  local control = redis.call('XADD', KEYS[4], 'MAXLEN', '~', 100, '*', 'type', 'claimed')
  return {id, fields, deliveries, control}
end

for _, pending in ipairs(redis.call('XPENDING', KEYS[2], ARGV[1], '-', '+', 10)) do
  local id, owner, deliveries = pending[1], pending[2], pending[4]
  local entry = redis.call('XRANGE', KEYS[2], id, id)[1]
  if not entry then
    redis.call('XACK', KEYS[2], ARGV[1], id)
  elseif owner == ARGV[2] then
    return claimed(id, entry[2], deliveries) -- the reply to its claim was lost
  else
    redis.call('XCLAIM', KEYS[2], ARGV[1], ARGV[2], 0, id)
    return claimed(id, entry[2], deliveries + 1)
  end
end

if redis.call('EXISTS', KEYS[3]) == 1 then
  return {'none'}
end
local reply = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[2], '>')
if not reply or not reply[1] then
  return {'none'}
end
local entry = reply[1][2][1]
return claimed(entry[1], entry[2], 1)
