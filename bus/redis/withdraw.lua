-- Takes a prompt back that no engine has claimed. The last one that waited takes the pause with it.
--
-- KEYS  prompts, prompt ids, paused, control
-- ARGV  group, prompt id
-- Reply the entry (id, fields), or nothing: it was claimed, or there is none

local function entry_of(prompt)
  local known = redis.call('HGET', KEYS[2], prompt)
  if known == 'done' then
    return nil
  elseif known then
    return redis.call('XRANGE', KEYS[1], known, known)[1]
  end
  -- Written by hand: its id is in its fields, or is its entry's.
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
    if entry[1] == prompt then
      return entry
    end
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'id' and entry[2][i + 1] == prompt then
        return entry
      end
    end
  end
end

-- Without a group no engine has ever asked.
local entry = entry_of(ARGV[2])
local claimed = entry and redis.pcall('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
if not entry or claimed[1] then
  return false
end
redis.call('XDEL', KEYS[1], entry[1])
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then
  redis.call('HSET', KEYS[2], ARGV[2], 'done')
end
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if redis.call('XLEN', KEYS[1]) <= (pending.err and 0 or pending[1]) then
  redis.call('DEL', KEYS[3])
end
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 100, '*', 'type', 'withdraw')
return entry
