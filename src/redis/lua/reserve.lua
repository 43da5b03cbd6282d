#!lua
-- Reserves, one request after the other, in one atomic step: of each the first alternative that fits wholly, or nothing of it.
-- KEYS from 10: one record a request, then every balance that a line names.
-- ARGV from 4: the number of requests; for each: id, holder, deadline, not-after, price book, number of alternatives; for each of
-- these: its lines as a record keeps them, their number, and of each line: which of the balances (from 0), amount, limit, version,
-- '1' where hard.
-- Answers one row a request: 'reserved' alternative now, then the entry's text of each line | 'refused' now, then index, six figures and
-- when it fits ('' where time does not bring that about) a misfit of the first alternative | 'exists' alternative open now | 'exists-different' | 'tombstoned' | 'window-stale' | 'too-late'
-- | 'clock-skew' | 'recovering' | 'out-of-bounds', with now; then the tip.
local count = tonumber(ARGV[4])
local firstBalance = FIRST_OWN_KEY + count
local at = 5

local function take()
  at = at + 1
  return ARGV[at - 1]
end

local function takeLines(number)
  local lines = {}
  for i = 1, number do
    local key, amount, limit = KEYS[firstBalance + tonumber(take())], take(), take()
    assertBounds(amount, limit)
    lines[i] = { key = key, amount = amount, limit = limit, version = take(), hard = take() == '1' }
  end
  return lines
end

local requests = {}
for i = 1, count do
  local request = {
    key = KEYS[FIRST_OWN_KEY + i - 1], id = take(), holder = take(), deadline = tonumber(take()), notAfter = tonumber(take()),
    book = take(), alternatives = {},
  }
  for a = 1, tonumber(take()) do
    local text = take()
    request.alternatives[a] = { text = text, lines = takeLines(tonumber(take())) }
  end
  requests[i] = request
end

local function repeated(record, request)
  if record.state == 'tombstone' then
    return { 'tombstoned', nowText }
  end
  local alternative = request.alternatives[tonumber(record.alternative) + 1]
  local lines = parseLines(record.text)
  if not alternative or not sameKeys(alternative.lines, lines) then
    return { 'exists-different', nowText }
  end
  for i = 1, #lines do
    if lines[i].amount ~= alternative.lines[i].amount then
      return { 'exists-different', nowText }
    end
  end
  return { 'exists', record.alternative, record.state == 'open' and '1' or '0', nowText }
end

local function isStale(request)
  for _, alternative in ipairs(request.alternatives) do
    for _, line in ipairs(alternative.lines) do
      local balance = balanceOf(line.key)
      if balance.kind == 'calendar' and (now < balance.starts or now >= balance.ends) then
        return true
      end
    end
  end
  return false
end

-- What each line would see, and the row of those that do not fit (nil when all do).
local function weigh(alternative)
  local seen, row, isBounded = {}, nil, true
  for i, line in ipairs(alternative.lines) do
    local balance = balanceOf(line.key)
    local presented = present(balance, line)
    seen[i] = presented
    isBounded = isBounded and hasRoom(balance, line.amount)
    if line.hard and line.amount ~= '0' and not atLeast(presented.avl, line.amount) then
      row = row or { 'refused', nowText }
      local figures = { int(i - 1), presented.lim, presented.avl, balance.rsv or '0', balance.spt or '0', balance.sus or '0', balance.ovr or '0' }
      for f = 1, 7 do
        row[#row + 1] = figures[f]
      end
      row[#row + 1] = ''
    end
  end
  return seen, row, isBounded
end

-- When each misfit of a refusal will fit, if nothing but time passes: once buckets that hold what is missing have slid out.
local function tellWhen(row, lines)
  for at = 3, #row, 8 do
    local line = lines[tonumber(row[at]) + 1]
    row[at + 7] = freedAt(balanceOf(line.key), sum(line.amount, 1, row[at + 2], -1))
  end
end

local beating = {}
local function admit(request, index, alternative, seen)
  local record = newRecord(request.key, request.holder, math.min(request.deadline, now + DEADLINE_MS), now, alternative.text)
  record.state, record.alternative, record.book = 'open', int(index), request.book
  local row, entry = { 'reserved', record.alternative, nowText }, {}
  for i, line in ipairs(alternative.lines) do
    local balance = balanceOf(line.key)
    takeUp(balance, seen[i])
    entry[i] = move(balance, line.hard, line.amount, '0', '0', '0', now, line.amount)
    record.charged[i] = '0' -- nothing observed yet
    row[#row + 1] = entry[i]
  end
  openRecord(request.id, record)
  if not beating[request.holder] then
    beating[request.holder] = true
    call('ZADD', HOLDERS, nowText, request.holder)
  end
  append('reserved', request.id, '', now, entry)
  return row
end

-- A refusal creates nothing, but what it presented is not lost: a newer limit of a balance that is there is taken up, and a current one
-- is seen to be in use still, at most every few seconds. Otherwise an exhausted budget would come to believe an older limit.
local function noteLimits(request)
  local places, entry = {}, {}
  for _, alternative in ipairs(request.alternatives) do
    for _, line in ipairs(alternative.lines) do
      local balance = balanceOf(line.key)
      local isUsual = line.version == balance.version and line.limit == balance.lim
      if balance.exists and not (isUsual and now - balance.at < PRESENT_EVERY_MS) then
        local seen = present(balance, line)
        local isNew = seen.version ~= balance.version or seen.lim ~= balance.lim
        if isNew or seen.at - balance.at >= PRESENT_EVERY_MS then
          noted = true
          takeUp(balance, seen)
        end
        if isNew then
          places[balance.name] = places[balance.name] or #entry + 1
          entry[places[balance.name]] = entryLine(balance, '0', line.hard, '')
        end
      end
    end
  end
  if #entry > 0 then
    append('presented', request.id, '', now, entry)
  end
end

local function reserve(request)
  local record = readRecord(request.key)
  if record then
    return repeated(record, request)
  end
  if now > request.notAfter then
    return { 'too-late', nowText }
  end
  if isStale(request) then
    return { 'window-stale', nowText }
  end
  local refusal
  for a, alternative in ipairs(request.alternatives) do
    local seen, row, isBounded = weigh(alternative)
    if not row then
      return isBounded and admit(request, a - 1, alternative, seen) or { 'out-of-bounds', nowText }
    end
    refusal = refusal or row
  end
  tellWhen(refusal, request.alternatives[1].lines)
  noteLimits(request)
  return refusal
end

return answerAll(requests, count, function(request)
  return recovering and { 'recovering', nowText } or reserve(request)
end)
