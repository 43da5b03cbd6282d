#!lua flags=allow-oom
-- Notes what open reservations of a holder would be charged by now; what was noted before and is larger stays. No balance, no entry.
-- KEYS from 10: a record each.
-- ARGV from 4: the holder, the number of records; of each its amounts: a list of numbers.
-- Answers 'observed' now, and of how many it was noted | 'clock-skew' now.
local holder, count = ARGV[4], tonumber(ARGV[5])
local progress = {}
for i = 1, count do
  progress[i] = parseAmounts(ARGV[5 + i])
  for _, amount in ipairs(progress[i]) do
    assertBounds(amount, '0')
  end
end
if not openStep() then
  return { 'clock-skew', nowText }
end

local function note(record, amounts)
  if string.find(record.text, ' inFlight ', 1, true) then
    for i, line in ipairs(parseLines(record.text)) do
      amounts[i] = string.sub(line.key, -9) == ' inFlight' and '0' or amounts[i]
    end
  end
  for i, amount in ipairs(amounts) do
    record.charged[i] = larger(record.charged[i], amount)
  end
  writeRecord(record)
end

local observed = 0
for i = 1, count do
  local record = readRecord(KEYS[FIRST_OWN_KEY + i - 1])
  if record and record.state == 'open' and record.holder == holder and #record.charged == #progress[i] then
    note(record, progress[i])
    observed = observed + 1
  end
end
closeStep()
return { 'observed', nowText, int(observed) }
