#!lua flags=allow-oom
-- The sweep's last step: collects balances that are final, and forgets records whose retention ended.
-- KEYS from 10: records to forget, then their responses (of those that have one), then balances to collect.
-- ARGV from 4: the number of records, then their ids, then the response of each ('' for none): it cannot change any more, for whatever
-- gives a record its response keeps it for longer.
-- Answers 'swept' now, how many balances were collected and how many records forgotten (others of the kind may have been first), and the
-- two alarms.
local count = tonumber(ARGV[4])
local responses, firstBalance = {}, FIRST_OWN_KEY + count
for i = 1, count do
  if ARGV[4 + count + i] ~= '' then
    responses[i], firstBalance = KEYS[firstBalance], firstBalance + 1
  end
end
if not openStep() then
  return { 'clock-skew', nowText }
end

local collected, forgotten = 0, 0
for i = firstBalance, #KEYS do
  local balance = balanceOf(KEYS[i])
  local due = tonumber(call('ZSCORE', DUE, balance.name) or 'inf')
  if not balance.exists then
    call('ZREM', DUE, balance.name)
  elseif due <= now and balance.rsv == '0' then
    append('collected', '', '', now, { entryLine(balance, '0', false, '') })
    call('DEL', balance.key)
    call('ZREM', DUE, balance.name)
    call('ZREM', INDEX, balance.name)
    collected = collected + 1
  end
end
for i = 1, count do
  local id = ARGV[4 + i]
  local until_ = tonumber(call('ZSCORE', CLOSED, id) or 'inf')
  if until_ < now then
    call('DEL', KEYS[FIRST_OWN_KEY + i - 1])
    if responses[i] and call('GET', responses[i]) == id then -- a later one may have it
      call('DEL', responses[i])
    end
    call('ZREM', CLOSED, id)
    call('ZREM', IDS, id)
    forgotten = forgotten + 1
  end
end
closeStep()
return { 'swept', nowText, int(collected), int(forgotten), alarms() }
