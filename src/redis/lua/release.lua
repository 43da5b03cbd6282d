#!lua flags=allow-oom
-- Gives all of a reservation back: proof that nothing was sent. An id not seen leaves a tombstone, so that its reserve is not admitted.
-- KEYS from 10: the record, then the balances of its lines.
-- ARGV from 4: id, holder, how.
-- Answers 'released' | 'already-released' | 'already-settled' | 'settled-late' | 'tombstoned' | 'clock-skew' now;
-- 'changed' and the record's lines, where their balances were not among the keys: nothing was written.
local id, holder, how = ARGV[4], ARGV[5], ARGV[6]
if not openStep() then
  return { 'clock-skew', nowText }
end

local record = readRecord(KEYS[FIRST_OWN_KEY])
if not record then
  closeRecord(id, {
    key = KEYS[FIRST_OWN_KEY], state = 'tombstone', holder = holder, deadline = now, admitted = now, alternative = '0', raised = '0',
    book = '-', charged = {}, text = '',
  }, false)
  append('tombstoned', id, how, {})
  closeStep()
  return { 'tombstoned', nowText }
end
local was = record.state
if was == 'released' then
  return { 'already-released', nowText }
elseif was == 'tombstone' then
  return { 'tombstoned', nowText }
elseif was ~= 'open' and was ~= 'expired' then
  return { 'already-settled', nowText }
end
local lines = parseLines(record.text)
if not areDeclared(lines, FIRST_OWN_KEY + 1) then
  return { 'changed', record.text }
end

local what = was == 'open' and 'released' or 'settled-late'
record.state = was == 'open' and 'released' or 'settled-proven'
local entry = {}
for i, line in ipairs(lines) do
  local balance = balanceOf(line.key)
  if balance.exists then
    local before = standing(was, line.amount, record.charged[i])
    local told = was == 'open' and line.amount or '0'
    entry[#entry + 1] = move(balance, before, standing('settled-proven', line.amount, '0'), '0', record.admitted, told)
  end
  record.charged[i] = '0'
end
closeRecord(id, record, was == 'open')
append(what, id, how, entry)
closeStep()
return { what, nowText }
