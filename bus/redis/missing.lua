-- Finds prompts that were queued and are gone, though nobody has finished them or taken them back.
--
-- KEYS  prompts, prompt ids
-- Reply the prompts' ids
--
-- Redis itself says nothing of entries that were trimmed away, and 6.2 and 7.0 differ in what a claim makes of them.

local gone = {}
local known = redis.call('HGETALL', KEYS[2])
for i = 1, #known, 2 do
  local entry = known[i + 1]
  if entry ~= 'done' and not redis.call('XRANGE', KEYS[1], entry, entry)[1] then
    gone[#gone + 1] = known[i]
  end
end
return gone
