#!lua flags=allow-oom
-- A holder has said again what it holds. When every living one has, or the time for it is over, so is recovery.
-- KEYS 10: the reports. ARGV 4: the holder ('' for one that has reserved nothing yet). ARGV 5: the last seq that it saw before.
-- Answers 'waiting' now | 'clock-skew' now | 'over' now, the highest seq that anybody saw, and how many living holders were silent.
local reports = KEYS[FIRST_OWN_KEY]
if not openStep() then
  return { 'clock-skew', nowText }
end
local meta = call('HMGET', META, 'living', 'until', 'silent')
if recovering then
  if ARGV[4] ~= '' then
    call('HSET', reports, ARGV[4], ARGV[5])
  end
  local silent = 0
  for _, holder in ipairs(call('ZRANGEBYSCORE', HOLDERS, meta[1], '+inf')) do
    silent = silent + 1 - call('HEXISTS', reports, holder)
  end
  -- By the clock as it goes: store time may stand still for a while, where a clock ran ahead before.
  local left = tonumber(meta[2]) - clock
  if silent > 0 and left > 0 and left <= RECOVER_MS then
    return { 'waiting', nowText }
  end
  meta[3] = int(silent)
  call('HDEL', META, 'mode', 'until', 'living')
  call('HSET', META, 'silent', meta[3])
  resumed = now -- nobody is stale who could not beat
  closeStep()
end
local highest = 0
for _, seen in ipairs(call('HVALS', reports)) do
  highest = math.max(highest, tonumber(seen))
end
return { 'over', nowText, int(highest), meta[3] or '0' }
