#!lua flags=allow-oom
-- The sweep's first step: finds what is overdue, final or outlived, and forgets holders long gone. It moves no balance.
-- KEYS as the prelude says. ARGV 4: how many of each at most.
-- Answers 'looked' now, then three lists: ids of overdue reservations, names of balances that may be collected, ids of records to forget;
-- then the two alarms.
if not openStep() then
  return { 'clock-skew', nowText }
end
closeStep()
local most = ARGV[4]
local before = '(' .. nowText

local function heldBy(holder, count)
  return call('ZRANGEBYLEX', HELD, '[' .. holder .. ':', '(' .. holder .. ';', 'LIMIT', 0, count)
end

local overdue = recovering and {} or call('ZRANGEBYSCORE', DEADLINES, '-inf', before, 'LIMIT', 0, most)
local silentSince = now - HOLDER_STALE_MS
if resumed < silentSince and not recovering then -- an outage of the store makes nobody stale
  for _, holder in ipairs(call('ZRANGEBYSCORE', HOLDERS, '-inf', '(' .. int(silentSince))) do
    for _, member in ipairs(heldBy(holder, most)) do
      overdue[#overdue + 1] = string.sub(member, #holder + 2)
    end
  end
end
for _, holder in ipairs(call('ZRANGEBYSCORE', HOLDERS, '-inf', '(' .. int(now - RETAIN_UNPROVEN_MS), 'LIMIT', 0, most)) do
  if #heldBy(holder, 1) == 0 then
    call('ZREM', HOLDERS, holder)
  end
end
return {
  'looked', nowText, overdue, call('ZRANGEBYSCORE', DUE, '-inf', nowText, 'LIMIT', 0, most),
  call('ZRANGEBYSCORE', CLOSED, '-inf', before, 'LIMIT', 0, most), alarms(),
}
