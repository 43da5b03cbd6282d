-- Balances as a move sees them: loaded once a script, at store time, with a line's limit presented. Follows prelude.lua in every move.
local NAME_AT = #BALANCE + 1
local balances = {}

-- Lines that a record names: every balance must be among the script's keys, from `first` on, before anything is written.
local function areDeclared(lines, first)
  local declared = {}
  for i = first, #KEYS do
    declared[KEYS[i]] = true
  end
  for i = 1, #lines do
    if not declared[lines[i].key] then
      return false
    end
  end
  return true
end

local function total(values, offset)
  local parts = { '0', 1 }
  for i = offset, #values, 3 do
    if values[i] and values[i] ~= '0' then
      parts[#parts + 1] = values[i]
      parts[#parts + 1] = 1
    end
  end
  return sum(unpack(parts))
end

-- What slid out of the span is taken off the figures seen; it is taken off the stored ones with the next write.
local function slide(balance)
  local first = math.floor((now - balance.length) / balance.width)
  if balance.lo == nil or balance.lo >= first then
    return
  end
  local names = {}
  for bucket = balance.lo, math.min(balance.hi, first - 1) do
    names[#names + 1] = 'r:' .. int(bucket)
    names[#names + 1] = 's:' .. int(bucket)
    names[#names + 1] = 'u:' .. int(bucket)
  end
  local values = call('HMGET', balance.key, unpack(names))
  local dead = { reserved = total(values, 1), spent = total(values, 2), suspense = total(values, 3), names = names }
  balance.dead = dead
  balance.rsv = sum(balance.rsv, 1, dead.reserved, -1)
  balance.spt = sum(balance.spt, 1, dead.spent, -1)
  balance.sus = sum(balance.sus, 1, dead.suspense, -1)
  balance.avl = sum(balance.avl, 1, dead.reserved, 1, dead.spent, 1)
  if balance.hi < first then
    balance.lo, balance.hi = nil, nil
  else
    balance.lo = first
  end
end

-- The first store time at which buckets that held `missing` together count no more; '' where no time will do.
local function freedAt(balance, missing)
  if balance.kind ~= 'sliding' or not balance.exists or balance.lo == nil then
    return ''
  end
  local names = {}
  for bucket = balance.lo, balance.hi do
    names[#names + 1] = 'r:' .. int(bucket)
    names[#names + 1] = 's:' .. int(bucket)
  end
  local values = call('HMGET', balance.key, unpack(names))
  for bucket = balance.lo, balance.hi do
    local at = 2 * (bucket - balance.lo) + 1
    missing = sum(missing, 1, values[at] or '0', -1, values[at + 1] or '0', -1)
    if missing == '0' or string.sub(missing, 1, 1) == '-' then
      return int((bucket + 1) * balance.width + balance.length)
    end
  end
  return ''
end

-- When the sweep may collect it if nothing touches it until then; nil: not by time alone.
local function dueOf(balance)
  if balance.kind == 'sliding' then
    return balance.hi == nil and 0 or (balance.hi + 1) * balance.width + balance.length
  elseif balance.kind == 'inFlight' then
    return balance.rsv == '0' and 0 or nil
  elseif balance.kind == 'calendar' then
    return balance.ends + COLLECT_AFTER_MS -- the sweep asks itself whether anything is still reserved
  end
  return nil
end

local function balanceOf(key)
  local balance = balances[key]
  if balance then
    return balance
  end
  balance = { key = key, name = string.sub(key, NAME_AT) }
  local window = string.sub(balance.name, string.find(balance.name, ' ', 1, true) + 1)
  if window == 'lifetime' or window == 'inFlight' then
    balance.kind = window
  elseif string.sub(window, 1, 1) == '~' then
    balance.kind, balance.length = 'sliding', tonumber(string.sub(window, 2))
    balance.width = math.ceil(balance.length / SLIDING_BUCKETS)
  else
    local starts, ends = string.match(window, '^(%d+)-(%d+)$')
    balance.kind, balance.starts, balance.ends = 'calendar', tonumber(starts), tonumber(ends)
  end
  local v = call('HMGET', balance.key, 'lim', 'avl', 'rsv', 'spt', 'sus', 'ovr', 'version', 'at', 'lo', 'hi')
  balance.exists = v[1] ~= false
  if balance.exists then
    balance.lim, balance.avl, balance.rsv, balance.spt, balance.sus, balance.ovr = v[1], v[2], v[3], v[4], v[5], v[6]
    balance.version, balance.at, balance.lo, balance.hi = v[7], tonumber(v[8]), tonumber(v[9] or nil), tonumber(v[10] or nil)
    balance.due = dueOf(balance)
    if balance.kind == 'sliding' then
      slide(balance)
    end
  end
  balances[key] = balance
  return balance
end

-- Which of two versions is newer: above 0 the first, below 0 the second.
local function compareVersions(a, b)
  if a == b then
    return 0
  end
  local createdA, generationA, grantA = string.match(a, '(%d+) (%d+) (%d+)')
  local createdB, generationB, grantB = string.match(b, '(%d+) (%d+) (%d+)')
  if createdA ~= createdB then
    return tonumber(createdA) - tonumber(createdB)
  elseif generationA ~= generationB then
    return tonumber(generationA) - tonumber(generationB)
  end
  return tonumber(grantA) - tonumber(grantB)
end

-- How a line's limit would be taken up, without writing it: newer replaces, of equal versions the lower holds, older is ignored
-- unless no newer one came for a while.
local function present(balance, line)
  if not balance.exists then
    return { lim = line.limit, avl = line.limit, version = line.version, at = now, fresh = true }
  end
  local seen = { lim = balance.lim, avl = balance.avl, version = balance.version, at = balance.at }
  local order = compareVersions(line.version, balance.version)
  if order == 0 then
    seen.at = now
    seen.contested = line.limit ~= balance.lim
    if isLess(line.limit, balance.lim) then
      seen.lim = line.limit
    end
  elseif order > 0 or now - balance.at >= VERSION_FORGET_MS then
    seen.lim, seen.version, seen.at = line.limit, line.version, now
  end
  if seen.lim ~= balance.lim then
    seen.avl = sum(balance.avl, 1, balance.lim, -1, seen.lim, 1)
  end
  return seen
end

-- Writes what `present` found, and takes off what slid out.
local function takeUp(balance, seen)
  local key = balance.key
  if seen.fresh then
    call('HSET', key, 'avl', seen.lim, 'rsv', '0', 'spt', '0', 'sus', '0', 'ovr', '0')
    call('ZADD', INDEX, 0, balance.name)
    balance.exists, balance.avl, balance.rsv, balance.spt, balance.sus, balance.ovr = true, seen.lim, '0', '0', '0', '0'
    balance.fresh = true
  elseif seen.lim ~= balance.lim then
    call('HINCRBY', key, 'avl', sum(balance.lim, -1))
    call('HINCRBY', key, 'avl', seen.lim)
    balance.avl = seen.avl
  end
  if seen.contested then
    call('HINCRBY', META, 'contested', 1)
  end
  if seen.fresh or seen.version ~= balance.version or seen.lim ~= balance.lim then
    balance.lim, balance.version = seen.lim, seen.version
    call('HSET', key, 'lim', balance.lim, 'version', balance.version)
  end
  if seen.fresh or seen.at ~= balance.at then
    balance.at = seen.at
    call('HSET', key, 'at', int(seen.at))
  end
end
