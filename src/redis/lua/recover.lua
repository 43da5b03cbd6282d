#!lua flags=allow-oom
-- Begins recovery on a server that may have lost writes, or joins the one that is on: nothing is reserved until it is over.
-- KEYS 10: the reports. ARGV 4: the epoch that the caller found.
-- Answers 'recovering' now epoch, the epoch and the last seq before it | 'moved' now (another recovery was in between: look again) | 'clock-skew' now.
if not openStep() then
  return { 'clock-skew', nowText }
end
if not recovering then
  if epoch ~= ARGV[4] then
    return { 'moved', nowText }
  end
  local was = epoch
  epoch = int(math.max(tonumber(epoch) + 1, now)) -- of its own even where the server was emptied, and counts from the start
  -- Whose beats are old by the store's own last word is not waited for.
  call('HSET', META, 'epoch', epoch, 'was', was, 'began', int(seq), 'mode', 'recovering', 'until', int(now + RECOVER_MS))
  call('HSET', META, 'living', int(mark - HOLDER_STALE_MS))
  call('DEL', KEYS[FIRST_OWN_KEY])
  closeStep()
end
local meta = call('HMGET', META, 'was', 'began')
return { 'recovering', nowText, epoch, meta[1], meta[2] }
