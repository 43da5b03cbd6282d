#!lua flags=allow-oom
-- An operator's correction of a closed reservation: takes from suspense, or adds to spent; never gives back what was proven.
-- KEYS from 10: the record, then the balances of its lines.
-- ARGV from 4: the adjustment's own id, the reservation's, what every line in USD is charged instead, how.
-- Answers 'adjusted' | 'already-adjusted' | 'still-open' | 'not-in-suspense' | 'forgotten' | 'no-money' | 'no-room' | 'clock-skew' now;
-- 'changed' and the record's lines, where their balances were not among the keys: nothing was written.
local adjustId, id, actual, how = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
assertBounds(actual, '0')
if not openStep() then
  return { 'clock-skew', nowText }
end

local record = readRecord(KEYS[FIRST_OWN_KEY])
if not record or record.state == 'tombstone' then
  return { 'forgotten', nowText }
elseif record.adjust == adjustId then
  return { 'already-adjusted', nowText }
elseif record.state == 'open' then
  return { 'still-open', nowText }
end
record.lines = parseLines(record.text)
local charged, hasMoney, givesBack = {}, false, false
for i, line in ipairs(record.lines) do
  local isMoney = line.unit == 'USD' and string.sub(line.key, -9) ~= ' inFlight'
  charged[i] = isMoney and actual or record.charged[i]
  hasMoney, givesBack = hasMoney or isMoney, givesBack or isLess(charged[i], record.charged[i])
end
if not hasMoney then
  return { 'no-money', nowText }
elseif givesBack and record.state ~= 'expired' and record.state ~= 'settled-unproven' then
  return { 'not-in-suspense', nowText }
elseif not areDeclared(record.lines, FIRST_OWN_KEY + 1) then
  return { 'changed', record.text }
end
for _, line in ipairs(record.lines) do
  if not hasRoom(balanceOf(line.key), actual) then
    return { 'no-room', nowText }
  end
end

record.adjust = adjustId
replace(id, record, 'settled-proven', charged, 'adjusted', how, charged)
closeStep()
return { 'adjusted', nowText }
