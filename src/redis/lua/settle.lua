#!lua flags=allow-oom
-- Replaces reservations by what they cost, one after the other; one that is not on record is charged from the lines that its move brings.
-- KEYS from 10: one record a move, then the responses of those that bring one, then every balance that a line names.
-- ARGV from 4: the number of moves; for each: id, holder, '1' where proven, '1' where in arrears, how, the response's hash ('' for none),
-- its lines as a record keeps them, and of each line which of the balances (from 0), what it reserved, what it is charged: three lists of
-- numbers; then '1' or '0' a line: whether it is hard.
-- Answers a row a move: 'settled' | 'already-settled' | 'settled-late' | 'raised' | 'conflict' | 'reasserted' | 'arrears' | 'forgotten' |
-- 'clock-skew' now; 'settled-over' now and an overrun a line; 'lines-differ' | 'no-room' now: nothing was written; then the tip.
local count = tonumber(ARGV[4])
local EACH = 11
local responses, firstBalance = {}, FIRST_OWN_KEY + count
for m = 1, count do
  if ARGV[5 + (m - 1) * EACH + 5] ~= '' then
    responses[m], firstBalance = KEYS[firstBalance], firstBalance + 1
  end
end

local moves = {}
for m = 1, count do
  local at = 5 + (m - 1) * EACH
  local places, reserved, amounts = parseAmounts(ARGV[at + 7]), parseAmounts(ARGV[at + 8]), parseAmounts(ARGV[at + 9])
  local lines, isNothing = {}, true
  for i, place in ipairs(places) do
    local key = KEYS[firstBalance + tonumber(place)]
    if string.sub(key, -9) == ' inFlight' then
      amounts[i] = '0' -- only open reservations count there
    end
    assertBounds(reserved[i], '0')
    assertBounds(amounts[i], '0')
    isNothing = isNothing and amounts[i] == '0'
    lines[i] = { key = key, amount = reserved[i], hard = string.sub(ARGV[at + 10], i, i) == '1' }
  end
  moves[m] = {
    key = KEYS[FIRST_OWN_KEY + m - 1], id = ARGV[at], holder = ARGV[at + 1], proven = ARGV[at + 2] == '1', arrears = ARGV[at + 3],
    how = ARGV[at + 4], response = ARGV[at + 5], responseKey = responses[m], text = ARGV[at + 6],
    minted = tonumber(string.sub(ARGV[at], 1, 12), 16), lines = lines, amounts = amounts, isNothing = isNothing,
  }
end

-- Writes the record as the settlement closes it. The first response that it is settled under stays, and arrears stay arrears.
local function close(settlement, record, state, charged, what)
  if settlement.arrears == '1' then
    record.arrears = '1'
  end
  if settlement.responseKey and record.response == '-' then
    record.response = settlement.response
    call('SET', settlement.responseKey, settlement.id)
  end
  return replace(settlement.id, record, state, charged, what, settlement.how, charged)
end

-- Charges a settlement whose reserve is not on record, from its own lines, dated by its id.
local function chargeUnseen(settlement, what)
  local record = newRecord(settlement.key, settlement.holder, now, math.min(settlement.minted, now), settlement.text)
  record.lines = parseLines(settlement.text)
  presentKnown(record.lines)
  close(settlement, record, settlement.proven and 'settled-proven' or 'settled-unproven', settlement.amounts, what)
  return { what, nowText }
end

local function settleOpen(settlement, record)
  local isOver = false
  for i, line in ipairs(record.lines) do
    isOver = isOver or isLess(line.amount, settlement.amounts[i])
  end
  local what = isOver and 'settled-over' or 'settled'
  local state = settlement.proven and 'settled-proven' or 'settled-unproven'
  local overruns = close(settlement, record, state, settlement.amounts, what)
  if settlement.proven and isOver then
    return { what, nowText, unpack(overruns) }
  end
  return { 'settled', nowText }
end

local function settleUnproven(settlement, record)
  if settlement.proven then
    close(settlement, record, 'settled-proven', settlement.amounts, 'settled-late')
    return { 'settled-late', nowText }
  end
  local raised, grows = {}, false
  for i, amount in ipairs(settlement.amounts) do
    raised[i], grows = larger(record.charged[i], amount), grows or isLess(record.charged[i], amount)
  end
  if record.raised == '1' or not grows then
    return { 'already-settled', nowText }
  end
  record.raised = '1'
  close(settlement, record, record.state, raised, 'raised')
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
    if now - settlement.minted > RETAIN_UNPROVEN_MS then
      return { 'forgotten', nowText }
    end
    return chargeUnseen(settlement, settlement.arrears == '1' and 'arrears' or 'reasserted')
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
      close(settlement, record, 'settled-proven', settlement.amounts, 'settled-late')
    end
    return { bringsProof and 'settled-late' or 'already-settled', nowText }
  end
  return settleAgain(settlement, record)
end

return answerAll(moves, count, settle)
