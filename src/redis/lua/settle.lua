#!lua flags=allow-oom
-- Replaces reservations by what they cost, one after the other; one that is not on record is charged from the lines that its move brings.
-- KEYS from 10: one record a move, then every balance that a line names.
-- ARGV from 4: the number of moves; for each: id, holder, '1' where proven, how, its lines as a record keeps them, and of each line which
-- of the balances (from 0), what it reserved, what it is charged: three lists of numbers.
-- Answers a row a move: 'settled' | 'already-settled' | 'settled-late' | 'raised' | 'conflict' | 'reasserted' | 'forgotten' |
-- 'clock-skew' now; 'settled-over' now and an overrun a line; 'lines-differ' | 'no-room' now: nothing was written.
local count = tonumber(ARGV[4])
local firstBalance = FIRST_OWN_KEY + count

local moves = {}
for m = 1, count do
  local at = 5 + (m - 1) * 8
  local places, reserved, amounts = parseAmounts(ARGV[at + 5]), parseAmounts(ARGV[at + 6]), parseAmounts(ARGV[at + 7])
  local lines, isNothing = {}, true
  for i, place in ipairs(places) do
    local key = KEYS[firstBalance + tonumber(place)]
    if string.sub(key, -9) == ' inFlight' then
      amounts[i] = '0' -- only open reservations count there
    end
    assertBounds(reserved[i], '0')
    assertBounds(amounts[i], '0')
    isNothing = isNothing and amounts[i] == '0'
    lines[i] = { key = key, amount = reserved[i] }
  end
  moves[m] = {
    key = KEYS[FIRST_OWN_KEY + m - 1], id = ARGV[at], holder = ARGV[at + 1], proven = ARGV[at + 2] == '1', how = ARGV[at + 3],
    text = ARGV[at + 4], minted = tonumber(string.sub(ARGV[at], 1, 12), 16), lines = lines, amounts = amounts, isNothing = isNothing,
  }
end

-- Whether a balance that is not there is made for a change: not in a window that is past, and not for nothing.
local function wouldCount(balance, before, after, overrun, admitted)
  if before.reserved == after.reserved and before.spent == after.spent and overrun == '0' then
    return false
  elseif balance.kind == 'sliding' then
    return math.floor(admitted / balance.width) >= math.floor((now - balance.length) / balance.width)
  end
  return balance.kind ~= 'calendar' or now < balance.ends + COLLECT_AFTER_MS
end

-- Charges a settlement whose reserve is not on record, from its own lines, dated by its id.
local function chargeUnseen(settlement, what)
  local amounts = settlement.amounts
  local record = {
    key = settlement.key, state = settlement.proven and 'settled-proven' or 'settled-unproven', holder = settlement.holder, deadline = now,
    admitted = math.min(settlement.minted, now), alternative = '0', raised = '0', book = '-', charged = amounts, text = settlement.text,
  }
  local entry = {}
  for i, line in ipairs(parseLines(settlement.text)) do
    local balance = balanceOf(line.key)
    local after = standing(record.state, line.amount, amounts[i])
    local overrun = settlement.proven and overrunOf(line, amounts[i]) or '0'
    if balance.exists or wouldCount(balance, NOTHING, after, overrun, record.admitted) then
      takeUp(balance, present(balance, line))
      entry[#entry + 1] = move(balance, NOTHING, after, overrun, record.admitted, amounts[i])
    end
  end
  closeRecord(settlement.id, record, false)
  append(what, settlement.id, settlement.how, entry)
  return { what, nowText }
end

-- Writes a record in its new state; answers the overrun of each line.
local function replace(settlement, record, state, charged, what)
  local was, wasCharged, entry, overruns = record.state, record.charged, {}, {}
  record.state, record.charged = state, charged
  for i, line in ipairs(record.lines) do
    local balance = balanceOf(line.key)
    overruns[i] = state == 'settled-proven' and overrunOf(line, charged[i]) or '0'
    local before, after = standing(was, line.amount, wasCharged[i]), standing(state, line.amount, charged[i])
    if not balance.exists and wouldCount(balance, before, after, overruns[i], record.admitted) then
      takeUp(balance, present(balance, parseLines(record.text)[i])) -- collected meanwhile, for nothing was left in it
    end
    if balance.exists then
      entry[#entry + 1] = move(balance, before, after, overruns[i], record.admitted, charged[i])
    end
  end
  closeRecord(settlement.id, record, was == 'open')
  append(what, settlement.id, settlement.how, entry)
  return overruns
end

local function settleOpen(settlement, record)
  local isOver = false
  for i, line in ipairs(record.lines) do
    isOver = isOver or isLess(line.amount, settlement.amounts[i])
  end
  local what = isOver and 'settled-over' or 'settled'
  local state = settlement.proven and 'settled-proven' or 'settled-unproven'
  local overruns = replace(settlement, record, state, settlement.amounts, what)
  if settlement.proven and isOver then
    return { what, nowText, unpack(overruns) }
  end
  return { 'settled', nowText }
end

local function settleUnproven(settlement, record)
  if settlement.proven then
    replace(settlement, record, 'settled-proven', settlement.amounts, 'settled-late')
    return { 'settled-late', nowText }
  end
  local larger, grows = {}, false
  for i, amount in ipairs(settlement.amounts) do
    local isLarger = isLess(record.charged[i], amount)
    larger[i], grows = isLarger and amount or record.charged[i], grows or isLarger
  end
  if record.raised == '1' or not grows then
    return { 'already-settled', nowText }
  end
  record.raised = '1'
  replace(settlement, record, record.state, larger, 'raised')
  return { 'raised', nowText }
end

local function settleAgain(settlement, record)
  local isSame = true
  for i, amount in ipairs(settlement.amounts) do
    isSame = isSame and record.charged[i] == amount
  end
  return { (isSame or not settlement.proven) and 'already-settled' or 'conflict', nowText }
end

local function settle(settlement)
  local record = readRecord(settlement.key)
  for i, line in ipairs(settlement.lines) do
    if not hasRoom(balanceOf(line.key), settlement.amounts[i]) then
      return { 'no-room', nowText }
    end
  end
  if not record then
    return now - settlement.minted > RETAIN_UNPROVEN_MS and { 'forgotten', nowText } or chargeUnseen(settlement, 'reasserted')
  end
  local bringsProof = settlement.proven and not settlement.isNothing
  if record.state == 'tombstone' then
    return bringsProof and chargeUnseen(settlement, 'settled-late') or { 'already-settled', nowText }
  end
  record.lines = settlement.lines
  if record.text ~= settlement.text then -- other limits or amounts may do; the record's own count
    record.lines = parseLines(record.text)
    if not sameKeys(record.lines, settlement.lines) then
      return { 'lines-differ', nowText }
    end
  end
  if record.state == 'open' then
    return settleOpen(settlement, record)
  elseif record.state == 'expired' or record.state == 'settled-unproven' then
    return settleUnproven(settlement, record)
  elseif record.state == 'released' then
    if bringsProof then
      replace(settlement, record, 'settled-proven', settlement.amounts, 'settled-late')
    end
    return { bringsProof and 'settled-late' or 'already-settled', nowText }
  end
  return settleAgain(settlement, record)
end

local fair = openStep()
local before = seq
local answers = {}
for m = 1, count do
  answers[m] = fair and settle(moves[m]) or { 'clock-skew', nowText }
end
if seq ~= before then
  closeStep()
end
return answers
