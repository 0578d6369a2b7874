-- Says in one text how an ended session stands; given that text again, removes the session, if it still stands so.
--
-- KEYS  lease, tombstone, prompts, state, meta, events, prompt ids, then whatever else goes with it
-- ARGV  the text; empty to ask for it
-- Reply {'busy'} an engine or a prompt is there | {'deleted'} | {'changed'} | {'removed'}
--       {'ended', the text, last id of events}
--
-- The state stays: a writer from before is fenced also while the session lies in its file.

if redis.call('EXISTS', KEYS[2]) == 1 then
  return {'deleted'}
end
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('XLEN', KEYS[3]) > 0 then
  return {'busy'}
end

local facts = {redis.call('XLEN', KEYS[6]), redis.call('HLEN', KEYS[7])}
local last = '0-0'
if redis.call('EXISTS', KEYS[6]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[6])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      last = info[i + 1]
    end
  end
end
facts[#facts + 1] = last
for _, key in ipairs({KEYS[4], KEYS[5]}) do
  for _, part in ipairs(redis.call('HGETALL', key)) do
    facts[#facts + 1] = #part .. ':' .. part
  end
end
local text = redis.sha1hex(table.concat(facts, ' '))

if ARGV[1] == '' then
  return {'ended', text, last}
elseif ARGV[1] ~= text then
  return {'changed'}
end
redis.call('UNLINK', KEYS[3])
for i = 5, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return {'removed'}
