#!lua flags=allow-oom
-- Begins recovery on a server that may have lost writes, or joins the one that is on: nothing is reserved until it is over.
-- KEYS 10: the reports. ARGV 4: the epoch that the caller found.
-- Answers 'recovering' now epoch, and the last seq before it | 'moved' now (another recovery was in between: look again) | 'clock-skew' now.
if not openStep() then
  return { 'clock-skew', nowText }
end
if not recovering then
  if epoch ~= ARGV[4] then
    return { 'moved', nowText }
  end
  epoch = int(tonumber(epoch) + 1)
  -- Whose beats are old by the store's own last word is not waited for.
  call('HSET', META, 'epoch', epoch, 'mode', 'recovering', 'began', int(seq), 'until', int(now + RECOVER_MS), 'living', int(mark - HOLDER_STALE_MS))
  call('DEL', KEYS[FIRST_OWN_KEY])
  closeStep()
end
return { 'recovering', nowText, epoch, call('HGET', META, 'began') }
