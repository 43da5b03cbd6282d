#!lua flags=allow-oom
-- Gives all of a reservation back: proof that nothing was sent. An id not seen leaves a tombstone, so that its reserve is not admitted.
-- KEYS from 10: the record, then the balances of its lines.
-- ARGV from 4: id, holder, how.
-- Answers 'released' | 'already-released' | 'already-settled' | 'settled-late' | 'tombstoned' | 'clock-skew' now, and
-- where it wrote, seq and epoch;
-- 'changed' and the record's lines, where their balances were not among the keys: nothing was written.
local id, holder, how = ARGV[4], ARGV[5], ARGV[6]
if not openStep() then
  return { 'clock-skew', nowText }
end

local record = readRecord(KEYS[FIRST_OWN_KEY])
if not record then
  record = newRecord(KEYS[FIRST_OWN_KEY], holder, now, now, '')
  record.lines = {}
  replace(id, record, 'tombstone', {}, 'tombstoned', how, {})
  closeStep()
  return { 'tombstoned', nowText, int(seq), epoch }
end
local was = record.state
if was == 'released' then
  return { 'already-released', nowText }
elseif was == 'tombstone' then
  return { 'tombstoned', nowText }
elseif was == 'settled-proven' then
  return { 'already-settled', nowText }
end
record.lines = parseLines(record.text)
if not areDeclared(record.lines, FIRST_OWN_KEY + 1) then
  return { 'changed', record.text }
end

local charged, reserved = {}, {}
for i, line in ipairs(record.lines) do
  charged[i], reserved[i] = '0', line.amount
end
local what = was == 'open' and 'released' or 'settled-late'
if was == 'open' then
  replace(id, record, 'released', charged, what, how, reserved)
else
  replace(id, record, 'settled-proven', charged, what, how, charged)
end
closeStep()
return { what, nowText, int(seq), epoch }
