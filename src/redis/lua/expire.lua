#!lua flags=allow-oom
-- The sweep's second step: closes overdue reservations, charged into suspense: what was observed, but at least the floor.
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
  if recovering then
    return false
  end
  local beat = math.max(tonumber(call('ZSCORE', HOLDERS, record.holder) or '0'), resumed)
  return beat < now - HOLDER_STALE_MS
end

local function expire(id, record)
  local how, charged = record.deadline < now and 'deadline' or 'holder', {}
  for i, line in ipairs(record.lines) do
    charged[i] = string.sub(line.key, -9) == ' inFlight' and '0' or larger(line.floor, record.charged[i])
    if not hasRoom(balanceOf(line.key), charged[i]) then
      charged[i] = line.amount -- it has to end, and for what is reserved there is room
    end
  end
  replace(id, record, 'expired', charged, 'expired', how, charged)
end

local answer = { 'swept', nowText }
for i = 1, count do
  local record = readRecord(KEYS[FIRST_OWN_KEY + i - 1])
  if not record or record.state ~= 'open' or not isOverdue(record) then
    answer[#answer + 1] = 'gone'
  else
    record.lines = parseLines(record.text)
    if areDeclared(record.lines, FIRST_OWN_KEY + count) then
      expire(ARGV[4 + i], record)
      answer[#answer + 1] = 'expired'
    else
      answer[#answer + 1] = 'changed'
    end
  end
end
closeStep()
return answer
