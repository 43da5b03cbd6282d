#!lua flags=allow-oom
-- Opens reservations that their holders say they have, whether they fit or not: the calls have left already. Known ones stay as they are.
-- KEYS from 10: one record a move, then every balance that a line names.
-- ARGV from 4: the number of moves; for each: id, holder, deadline, price book, its lines as a record keeps them.
-- Answers a row a move: 'reasserted' | 'exists' | 'forgotten' | 'clock-skew' now; 'no-room' now: nothing was written; then the tip.
local count = tonumber(ARGV[4])
local moves = {}
for m = 1, count do
  local at = 5 + (m - 1) * 5
  local lines = parseLines(ARGV[at + 4])
  assert(areDeclared(lines, FIRST_OWN_KEY + count), 'every balance is among the keys')
  moves[m] = {
    key = KEYS[FIRST_OWN_KEY + m - 1], id = ARGV[at], holder = ARGV[at + 1], deadline = tonumber(ARGV[at + 2]), book = ARGV[at + 3],
    text = ARGV[at + 4], lines = lines, minted = tonumber(string.sub(ARGV[at], 1, 12), 16),
  }
end

local function reassert(asserted)
  if readRecord(asserted.key) then
    return { 'exists', nowText }
  elseif now - asserted.minted > RETAIN_UNPROVEN_MS then
    return { 'forgotten', nowText }
  end
  local charged, reserved = {}, {}
  for i, line in ipairs(asserted.lines) do
    if not hasRoom(balanceOf(line.key), line.amount) then
      return { 'no-room', nowText }
    end
    charged[i], reserved[i] = '0', line.amount
  end
  local deadline = math.min(asserted.deadline, now + DEADLINE_MS)
  local record = newRecord(asserted.key, asserted.holder, deadline, math.min(asserted.minted, now), asserted.text)
  record.book, record.lines = asserted.book, asserted.lines
  presentKnown(record.lines)
  replace(asserted.id, record, 'open', charged, 'reasserted', '', reserved)
  call('ZADD', HOLDERS, nowText, asserted.holder)
  return { 'reasserted', nowText }
end

return answerAll(moves, count, reassert)
