-- How a balance moves: by HINCRBY from what a line stood for to what it stands for, then read back. Follows balances.lua in every move.
local FLOOR = -8e18 -- below this, sums would come near the end of int64

local function takeOffDead(balance)
  local dead, key = balance.dead, balance.key
  if not dead then
    return
  end
  balance.dead = nil
  call('HINCRBY', key, 'rsv', sum(dead.reserved, -1))
  call('HINCRBY', key, 'spt', sum(dead.spent, -1))
  call('HINCRBY', key, 'sus', sum(dead.suspense, -1))
  call('HINCRBY', key, 'avl', sum(dead.reserved, 1, dead.spent, 1))
  call('HDEL', key, unpack(dead.names))
  balance.bucketsMoved = true
end

local function shift(key, field, change)
  if change ~= '0' then
    call('HINCRBY', key, field, change)
  end
end

-- The bucket's own figures; empty buckets go, and the span of buckets that are there is kept narrow.
local function shiftBucket(balance, bucket, reserved, spent, suspense)
  local key, name = balance.key, int(bucket)
  shift(key, 'r:' .. name, reserved)
  shift(key, 's:' .. name, spent)
  shift(key, 'u:' .. name, suspense)
  local left = call('HMGET', key, 'r:' .. name, 's:' .. name)
  if (left[1] or '0') ~= '0' or (left[2] or '0') ~= '0' then
    if balance.lo == nil or bucket < balance.lo then
      balance.lo, balance.bucketsMoved = bucket, true
    end
    if balance.hi == nil or bucket > balance.hi then
      balance.hi, balance.bucketsMoved = bucket, true
    end
    return
  end
  call('HDEL', key, 'r:' .. name, 's:' .. name, 'u:' .. name)
  if bucket ~= balance.hi then
    return
  end
  balance.bucketsMoved = true
  repeat
    bucket = bucket - 1
    if bucket < balance.lo then
      balance.lo, balance.hi = nil, nil
      return
    end
  until call('HEXISTS', key, 'r:' .. int(bucket)) == 1 or call('HEXISTS', key, 's:' .. int(bucket)) == 1
  balance.hi = bucket
end

-- What a line of a record in a state stands for in its balance: reserved, spent, and in suspense of that. One of the first two is 0.
local function standing(state, amount, charged)
  if state == 'open' then
    return amount, '0', '0'
  elseif state == 'settled-proven' then
    return '0', charged, '0'
  elseif state == 'settled-unproven' or state == 'expired' then
    return '0', charged, charged
  end
  return '0', '0', '0'
end

-- How far a proven charge is above what was reserved.
local function overrunOf(state, amount, charged)
  return state == 'settled-proven' and isLess(amount, charged) and minus(charged, amount) or '0' -- inFlight lines are charged 0
end

-- What becomes free: the change of reserved and spent, taken together and turned around.
local function freedBy(reserved, spent)
  if spent == '0' then
    return string.byte(reserved) == 45 and string.sub(reserved, 2) or minus('0', reserved)
  elseif #reserved < 16 and #spent < 16 then
    return int(0 - tonumber(reserved) - tonumber(spent))
  end
  return sum(reserved, -1, spent, -1)
end

-- The part of an entry that tells of one balance as it is now; `moved` is what the move did to it.
local function entryLine(balance, told, hard, moved)
  return balance.name .. ' ' .. told .. (hard and ' 1 ' or ' 0 ') .. balance.lim .. ' ' .. balance.avl .. ' ' .. balance.rsv .. ' '
    .. balance.spt .. ' ' .. balance.sus .. ' ' .. balance.ovr .. moved
end

local function movedText(reserved, spent, suspense, overrun)
  if overrun ~= '0' then
    return ' ' .. reserved .. ' ' .. spent .. ' ' .. suspense .. ' ' .. overrun
  elseif suspense ~= '0' then
    return ' ' .. reserved .. ' ' .. spent .. ' ' .. suspense
  elseif spent ~= '0' then
    return ' ' .. reserved .. ' ' .. spent
  end
  return reserved ~= '0' and ' ' .. reserved or ''
end

local function isLive(balance, admitted)
  return math.floor(admitted / balance.width) >= math.floor((now - balance.length) / balance.width)
end

-- Moves one balance, dated at admission; what slid out moves nothing any more. Answers the line's part of the entry.
local function move(balance, hard, reserved, spent, suspense, overrun, admitted, told)
  local key = balance.key
  takeOffDead(balance)
  if balance.kind == 'sliding' then
    if not isLive(balance, admitted) then
      reserved, spent, suspense, overrun = '0', '0', '0', '0'
    elseif reserved ~= '0' or spent ~= '0' or suspense ~= '0' then
      shiftBucket(balance, math.floor(admitted / balance.width), reserved, spent, suspense)
    end
    if balance.bucketsMoved then
      balance.bucketsMoved = nil
      if balance.hi == nil then
        call('HDEL', key, 'lo', 'hi')
      else
        call('HSET', key, 'lo', int(balance.lo), 'hi', int(balance.hi))
      end
    end
  end
  shift(key, 'rsv', reserved)
  shift(key, 'spt', spent)
  shift(key, 'sus', suspense)
  shift(key, 'ovr', overrun)
  shift(key, 'avl', freedBy(reserved, spent))
  local v = call('HMGET', key, 'avl', 'rsv', 'spt')
  balance.avl, balance.rsv, balance.spt = v[1], v[2], v[3]
  if suspense ~= '0' or overrun ~= '0' then
    v = call('HMGET', key, 'sus', 'ovr')
    balance.sus, balance.ovr = v[1], v[2]
  end
  local due = dueOf(balance)
  if due == nil and balance.due ~= nil then
    call('ZREM', DUE, balance.name)
  elseif due ~= nil and (due ~= balance.due or balance.fresh) then
    call('ZADD', DUE, int(due), balance.name)
  end
  balance.due, balance.fresh = due, nil
  return entryLine(balance, told, hard, movedText(reserved, spent, suspense, overrun))
end

-- Whether a charge keeps the balance inside int64, asked before the first write.
local function hasRoom(balance, charge)
  return not balance.exists or (tonumber(balance.avl) - tonumber(charge) > FLOOR and tonumber(balance.ovr) < -FLOOR)
end

-- Whether a balance that is not there is made for a change: not in a window that is past, and not for nothing.
local function wouldCount(balance, reserved, spent, overrun, admitted)
  if reserved == '0' and spent == '0' and overrun == '0' then
    return false
  elseif balance.kind == 'sliding' then
    return isLive(balance, admitted)
  end
  return balance.kind ~= 'calendar' or now < balance.ends + COLLECT_AFTER_MS
end

-- Takes up the limits that lines bring, where their balances are there; others begin with what moves them.
local function presentKnown(lines)
  for _, line in ipairs(lines) do
    local balance = balanceOf(line.key)
    if balance.exists then
      takeUp(balance, present(balance, line))
    end
  end
end

-- Writes a record (with its `lines`) in another state and charge, moves the balances by the difference, and tells the stream; `told`
-- is what the entry calls each line's amount. Answers what was added to the overrun of each line.
local function replace(id, record, state, charged, what, how, told)
  local was, wasCharged, entry, overruns = record.state, record.charged, {}, {}
  record.state, record.charged = state, charged
  for i, line in ipairs(record.lines) do
    local balance = balanceOf(line.key)
    local reservedWas, spentWas, suspenseWas = standing(was, line.amount, wasCharged[i])
    local reserved, spent, suspense = standing(state, line.amount, charged[i])
    reserved, spent, suspense = minus(reserved, reservedWas), minus(spent, spentWas), minus(suspense, suspenseWas)
    local overrun = minus(overrunOf(state, line.amount, charged[i]), overrunOf(was, line.amount, wasCharged[i]))
    overruns[i] = overrun
    if not balance.exists and wouldCount(balance, reserved, spent, overrun, record.admitted) then
      takeUp(balance, present(balance, line.version and line or parseLines(record.text)[i])) -- nothing was left in it, so it was collected
    end
    if balance.exists then
      entry[#entry + 1] = move(balance, line.hard, reserved, spent, suspense, overrun, record.admitted, told[i])
    end
  end
  if state == 'open' then
    openRecord(id, record)
  else
    closeRecord(id, record, was == 'open')
  end
  append(what, id, how, record.admitted, entry)
  return overruns
end
