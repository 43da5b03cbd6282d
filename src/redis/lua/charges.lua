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

local function shift(key, field, before, after)
  if before ~= after then
    if before ~= '0' then
      call('HINCRBY', key, field, '-' .. before)
    end
    if after ~= '0' then
      call('HINCRBY', key, field, after)
    end
  end
end

-- The bucket's own figures; empty buckets go, and the span of buckets that are there is kept narrow.
local function shiftBucket(balance, bucket, was, is)
  local key, name = balance.key, int(bucket)
  shift(key, 'r:' .. name, was.reserved, is.reserved)
  shift(key, 's:' .. name, was.spent, is.spent)
  shift(key, 'u:' .. name, was.suspense, is.suspense)
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

local NOTHING = { reserved = '0', spent = '0', suspense = '0' }

-- What a line of a record in a state stands for in its balance.
local function standing(state, amount, charged)
  if state == 'open' then
    return { reserved = amount, spent = '0', suspense = '0' }
  elseif state == 'settled-proven' then
    return { reserved = '0', spent = charged, suspense = '0' }
  elseif state == 'settled-unproven' or state == 'expired' then
    return { reserved = '0', spent = charged, suspense = charged }
  end
  return NOTHING
end

-- A line stands for something reserved or something spent, never both.
local function heldBy(standing)
  return standing.reserved ~= '0' and standing.reserved or standing.spent
end

-- How far a charge is above what was reserved, as a decimal string.
local function overrunOf(line, charged)
  return isLess(line.amount, charged) and minus(charged, line.amount) or '0' -- inFlight lines are charged 0
end

-- Moves one balance from what the line stood for to what it stands for, dated at admission; answers the line's part of the entry.
local function move(balance, was, is, overrun, admitted, amount)
  local key = balance.key
  takeOffDead(balance)
  local counts = true
  if balance.kind == 'sliding' then
    local bucket = math.floor(admitted / balance.width)
    counts = bucket >= math.floor((now - balance.length) / balance.width)
    if counts and (was ~= NOTHING or is.reserved ~= '0' or is.spent ~= '0') then
      shiftBucket(balance, bucket, was, is)
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
  if counts then
    shift(key, 'rsv', was.reserved, is.reserved)
    shift(key, 'spt', was.spent, is.spent)
    shift(key, 'sus', was.suspense, is.suspense)
    shift(key, 'ovr', '0', overrun)
    local freed = minus(heldBy(was), heldBy(is))
    if freed ~= '0' then
      call('HINCRBY', key, 'avl', freed)
    end
  end
  local v = call('HMGET', key, 'avl', 'rsv', 'spt', 'sus', 'ovr')
  balance.avl, balance.rsv, balance.spt, balance.sus, balance.ovr = v[1], v[2], v[3], v[4], v[5]
  local due = dueOf(balance)
  if due == nil and balance.due ~= nil then
    call('ZREM', DUE, balance.name)
  elseif due ~= nil and (due ~= balance.due or balance.fresh) then
    call('ZADD', DUE, int(due), balance.name)
  end
  balance.due, balance.fresh = due, nil
  return table.concat({ balance.name, amount, balance.lim, v[1], v[2], v[3], v[4], v[5] }, ' ')
end

-- Whether a charge keeps the balance inside int64, asked before the first write.
local function hasRoom(balance, charge)
  return not balance.exists or (tonumber(balance.avl) - tonumber(charge) > FLOOR and tonumber(balance.ovr) < -FLOOR)
end
