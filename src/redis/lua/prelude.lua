-- What every move shares: store time, exact sums of decimal strings, records and entries. Loading it touches no key.
--
-- KEYS 1-9: meta holders deadlines held closed due index ids entries; then each move's own.
-- ARGV 1-3: the caller's wall clock in ms; store time in ms ('' for the server's clock, a number only in tests); entries to keep.
--
-- The layout, of which keys.ts has the names. What is cut at spaces and line ends holds none; '-' stands for an empty word.
-- meta     hash: schema, epoch, mark (store time of the last mutation), resumed, seq, contested, exported (absent: no exporter); of recovery
--          mode, until, living, was and began (the epoch and the last seq before it), silent,
--          server (its run id).
-- reports  hash: of each holder that took part in the last recovery the last seq that it had seen.
-- balance  hash: lim avl rsv spt sus ovr, version 'created generation grant', at (last presented); sliding: lo hi (first and last
--          bucket), and of bucket N r:N s:N u:N.
-- record   string of lines. Head: 'state holder deadline admitted alternative raised book', and only where one of them is set
--          ' adjustId response arrears'. Then what each line was charged (while open: what was observed of it). Then one a line:
--          'key window amount floor limit created generation grant hard unit'.
-- response string: the id of the reservation that was settled under this hash.
-- entry    under the id SEQ-0: what id how ms at (of admission) lines; one text line a line:
--          'key window amount hard lim avl rsv spt sus ovr', then what the move did to rsv spt sus ovr, without the zeros at its end.
--
-- Amounts are decimal strings from end to end: a Lua number would lose what is above 2^53. HINCRBY's reply is a Lua number, so it
-- is never used; figures are read back. A script does not roll back: everything is checked before the first write.
local META, HOLDERS, DEADLINES, HELD, CLOSED, DUE, INDEX, IDS, ENTRIES =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local FIRST_OWN_KEY = 10
local BALANCE = string.sub(META, 1, -5) .. 'b:' -- meta's key is '{tag}:meta', a balance's '{tag}:b:' and its name
local call = redis.call
local mark, resumed, seq, exported, epoch, recovering, clock, now, nowText
local noted = false -- something was written that has no entry

local function int(number)
  return string.format('%.0f', number)
end

-- Exact sum of decimal strings within int64, each taken with its sign (+1 or -1): sum('10', 1, '3', -1) is '7'.
local function sum(...)
  local high, low = 0, 0
  local parts = { ... }
  for i = 1, #parts, 2 do
    local text, sign = parts[i], parts[i + 1]
    if string.sub(text, 1, 1) == '-' then
      text, sign = string.sub(text, 2), -sign
    end
    high = high + sign * (tonumber(string.sub(text, 1, -10)) or 0)
    low = low + sign * tonumber(string.sub(text, -9))
  end
  local carry = math.floor(low / 1e9)
  high, low = high + carry, low - carry * 1e9
  if high < 0 and low > 0 then
    high, low = high + 1, low - 1e9
  end
  if high == 0 then
    return int(low)
  end
  return string.format('%.0f%09.0f', high, math.abs(low))
end

-- Exact difference of two non-negative decimal strings; most are short enough for a Lua number.
local function minus(a, b)
  if a == b then
    return '0'
  elseif b == '0' then
    return a
  elseif a == '0' then
    return '-' .. b
  elseif #a < 16 and #b < 16 then
    return int(tonumber(a) - tonumber(b))
  end
  return sum(a, 1, b, -1)
end

-- Exact for any a within int64 where b is below 2^53: what is above 2^53 rounds to at least 2^53.
local function atLeast(a, b)
  return tonumber(a) >= tonumber(b)
end

-- Of two non-negative decimal strings whether the first is smaller, and which is the larger: exactly.
local function isLess(a, b)
  if #a ~= #b then
    return #a < #b
  end
  return a < b
end

local function larger(a, b)
  return isLess(a, b) and b or a
end

-- Reads the clock. False where the caller's clock is too far from store time: then nothing may be written.
local function openStep()
  local meta = call('HMGET', META, 'mark', 'resumed', 'seq', 'exported', 'epoch', 'mode')
  mark, resumed, seq = tonumber(meta[1] or '0'), tonumber(meta[2] or '0'), tonumber(meta[3] or '0')
  exported = tonumber(meta[4] or nil)
  epoch, recovering = meta[5] or '0', meta[6] == 'recovering'
  clock = tonumber(ARGV[2])
  if clock == nil then
    local time = call('TIME')
    clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  now = math.max(clock, mark)
  nowText = int(now)
  return math.abs(tonumber(ARGV[1]) - now) <= CLOCK_SKEW_MS
end

-- Raises the mark after a mutation; after a silence of the whole store every holder gets its time anew.
local function closeStep()
  if now - mark > RESUME_GAP_MS then
    resumed = now
  end
  call('HSET', META, 'mark', nowText, 'resumed', int(resumed), 'seq', int(seq))
end

-- How many entries stay: the bound, and up to twice as many while the exporter has not read them.
local function entriesKept()
  if exported == nil then
    return ARGV[3]
  end
  local bound = tonumber(ARGV[3])
  return int(math.min(2 * bound, math.max(bound, seq - exported)))
end

-- The last row of a script that many moves share: where the ledger stands after them.
local function tip()
  return { 'tip', int(seq), epoch }
end

-- Moves of one kind in one step: a row for each, then the tip. Nothing is written where the caller's clock is too far away.
local function answerAll(moves, count, run)
  local fair = openStep()
  local before = seq
  local answers = {}
  for i = 1, count do
    answers[i] = fair and run(moves[i]) or { 'clock-skew', nowText }
  end
  if seq ~= before or noted then
    closeStep()
  end
  answers[count + 1] = tip()
  return answers
end

-- One entry in the stream; `lines` are texts by entryLine. Redis cuts whole strides, and never below what is kept.
local function append(what, id, how, admitted, lines)
  seq = seq + 1
  local text = table.concat(lines, '\n')
  call('XADD', ENTRIES, 'MAXLEN', '~', entriesKept(), int(seq) .. '-0', 'what', what, 'id', id, 'how', how, 'ms', nowText,
    'at', admitted == now and nowText or int(admitted), 'lines', text)
end

-- What a sweep tells the operator: how often one version of a limit came with two amounts, and how many entries were cut unread.
local function alarms()
  local first = call('XRANGE', ENTRIES, '-', '+', 'COUNT', 1)[1]
  local firstSeq = first and tonumber(string.match(first[1], '^%d+')) or seq + 1
  return call('HGET', META, 'contested') or '0', int(exported == nil and 0 or math.max(0, firstSeq - 1 - exported))
end

local function assertBounds(amount, limit)
  if #amount > 16 or tonumber(amount) > 9007199254740991 or #limit > 19 or tonumber(limit) > 1e18 then
    error('BOUNDS of an amount or a limit')
  end
end

-- Lines of a record's text. Patterns are slow on long names, so what is usual comes as arguments instead, and texts are compared whole.
local function parseLines(text)
  local lines = {}
  for name, amount, floor, limit, version, hard, unit in
    string.gmatch(text, '([^ \n]+ [^ \n]+) (%d+) (%d+) (%d+) (%d+ %d+ %d+) ([01]) ([^\n]+)')
  do
    assertBounds(amount, limit)
    lines[#lines + 1] =
      { key = BALANCE .. name, amount = amount, floor = floor, limit = limit, version = version, hard = hard == '1', unit = unit }
  end
  return lines
end

local function parseAmounts(text)
  local amounts = {}
  for amount in string.gmatch(text, '%d+') do
    amounts[#amounts + 1] = amount
  end
  return amounts
end

local function sameKeys(a, b)
  if #a ~= #b then
    return false
  end
  for i = 1, #a do
    if a[i].key ~= b[i].key then
      return false
    end
  end
  return true
end

local function readRecord(key)
  local text = call('GET', key)
  if not text then
    return nil
  end
  local headEnd = string.find(text, '\n', 1, true)
  local chargedEnd = string.find(text, '\n', headEnd + 1, true)
  local state, holder, deadline, admitted, alternative, raised, book, told =
    string.match(string.sub(text, 1, headEnd - 1), '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)(.*)$')
  local adjust, response, arrears = '-', '-', '0'
  if told ~= '' then
    adjust, response, arrears = string.match(told, '^ (%S+) (%S+) (%S+)$')
  end
  return {
    key = key, state = state, holder = holder, deadline = tonumber(deadline), admitted = tonumber(admitted), alternative = alternative,
    raised = raised, book = book, adjust = adjust, response = response, arrears = arrears,
    charged = parseAmounts(string.sub(text, headEnd + 1, chargedEnd - 1)), text = string.sub(text, chargedEnd + 1),
  }
end

-- A record as every one begins: in no state, its lines standing for nothing.
local function newRecord(key, holder, deadline, admitted, text)
  return {
    key = key, holder = holder, deadline = deadline, admitted = admitted, alternative = '0', raised = '0', book = '-', adjust = '-',
    response = '-', arrears = '0', charged = {}, text = text,
  }
end

local function writeRecord(record)
  local head = { record.state, record.holder, int(record.deadline), int(record.admitted), record.alternative, record.raised, record.book }
  if record.adjust ~= '-' or record.response ~= '-' or record.arrears ~= '0' then
    head[8], head[9], head[10] = record.adjust, record.response, record.arrears
  end
  call('SET', record.key, table.concat(head, ' ') .. '\n' .. table.concat(record.charged, ' ') .. '\n' .. record.text)
end

local RETAIN_MS = {
  ['settled-proven'] = RETAIN_PROVEN_MS,
  released = RETAIN_PROVEN_MS,
  ['settled-unproven'] = RETAIN_UNPROVEN_MS,
  expired = RETAIN_UNPROVEN_MS,
  tombstone = TOMBSTONE_MS,
}

-- A record that is open from now on.
local function openRecord(id, record)
  writeRecord(record)
  call('ZADD', DEADLINES, int(record.deadline), id)
  call('ZADD', HELD, 0, record.holder .. ':' .. id)
  call('ZADD', IDS, 0, id)
end

-- A record that is closed from now on, and where it is found when its time is over.
local function closeRecord(id, record, wasOpen)
  writeRecord(record)
  if wasOpen then
    call('ZREM', DEADLINES, id)
    call('ZREM', HELD, record.holder .. ':' .. id)
  else
    call('ZADD', IDS, 0, id) -- it may be new
  end
  local isLong = record.arrears == '1' or record.adjust ~= '-' -- their poster may repeat them long after
  local retain = isLong and RETAIN_UNPROVEN_MS or RETAIN_MS[record.state]
  call('ZADD', CLOSED, int(now + retain), id)
end
