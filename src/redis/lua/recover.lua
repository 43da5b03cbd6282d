#!lua flags=allow-oom
-- Begins recovery on a server that may have lost writes, or joins the one that is on: nothing is reserved until it is over.
-- KEYS 10: the reports. ARGV 4: the epoch that the caller found. ARGV 5: 'join' where one was on when it looked: that may be over by now.
-- ARGV 6: the server's run id. A recovery that another server, or this one in an earlier life, was in came with the data: it is not this one's.
-- Answers 'recovering' now epoch, the epoch and the last seq before it | 'moved' now (another recovery was in between: look again) | 'clock-skew' now.
if not openStep() then
  return { 'clock-skew', nowText }
end
local isInherited = recovering and call('HGET', META, 'server') ~= ARGV[6]
if isInherited or not recovering then
  if not isInherited and (epoch ~= ARGV[4] or ARGV[5] == 'join') then
    return { 'moved', nowText }
  end
  local was = epoch
  -- Of its own even where the server was emptied and counts from the start, and where another one counts from the same time.
  epoch = int(math.max(tonumber(string.match(epoch, '^%d+')) + 1, now)) .. '-' .. ARGV[6]
  -- Whose beats are old by the store's own last word is not waited for.
  call('HSET', META, 'epoch', epoch, 'was', was, 'began', int(seq), 'mode', 'recovering', 'until', int(clock + RECOVER_MS))
  call('HSET', META, 'living', int(mark - HOLDER_STALE_MS), 'server', ARGV[6])
  call('DEL', KEYS[FIRST_OWN_KEY])
  closeStep()
end
local meta = call('HMGET', META, 'was', 'began')
return { 'recovering', nowText, epoch, meta[1], meta[2] }
