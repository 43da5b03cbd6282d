#!lua flags=allow-oom
-- The sweep's second step: closes overdue reservations, charged at their estimate into suspense.
-- KEYS from 10: a record each, then the balances of their lines.
-- ARGV from 4: the number of records, then their ids.
-- Answers 'swept' now, then a word each: 'expired' | 'changed' (its balances are not among the keys) | 'gone' (no longer overdue).
local count = tonumber(ARGV[4])
if not openStep() then
  return { 'clock-skew', nowText }
end

local function isOverdue(record)
  if record.deadline < now then
    return true
  end
  local beat = math.max(tonumber(call('ZSCORE', HOLDERS, record.holder) or '0'), resumed)
  return beat < now - HOLDER_STALE_MS
end

local function expire(id, record, lines)
  local how, entry = record.deadline < now and 'deadline' or 'holder', {}
  record.state = 'expired'
  for i, line in ipairs(lines) do
    local charge = string.sub(line.key, -9) == ' inFlight' and '0' or line.amount
    local balance = balanceOf(line.key)
    if balance.exists then
      local before = standing('open', line.amount)
      entry[#entry + 1] = move(balance, before, standing('expired', line.amount, charge), '0', record.admitted, charge)
    end
    record.charged[i] = charge
  end
  closeRecord(id, record, true)
  append('expired', id, how, entry)
end

local answer = { 'swept', nowText }
for i = 1, count do
  local record = readRecord(KEYS[FIRST_OWN_KEY + i - 1])
  if not record or record.state ~= 'open' or not isOverdue(record) then
    answer[#answer + 1] = 'gone'
  else
    local lines = parseLines(record.text)
    if areDeclared(lines, FIRST_OWN_KEY + count) then
      expire(ARGV[4 + i], record, lines)
      answer[#answer + 1] = 'expired'
    else
      answer[#answer + 1] = 'changed'
    end
  end
end
closeStep()
return answer
