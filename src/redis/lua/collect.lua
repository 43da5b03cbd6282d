#!lua flags=allow-oom
-- The sweep's last step: collects balances that are final, and forgets records whose retention ended.
-- KEYS from 10: records to forget, then balances to collect.
-- ARGV from 4: the number of records, then their ids.
-- Answers 'swept' now, then how many balances were collected and how many records forgotten: others of the kind may have been first.
local count = tonumber(ARGV[4])
if not openStep() then
  return { 'clock-skew', nowText }
end

local collected, forgotten = 0, 0
for i = FIRST_OWN_KEY + count, #KEYS do
  local balance = balanceOf(KEYS[i])
  local due = tonumber(call('ZSCORE', DUE, balance.name) or 'inf')
  if not balance.exists then
    call('ZREM', DUE, balance.name)
  elseif due <= now and balance.rsv == '0' then
    append('collected', '', '', {
      table.concat({ balance.name, '0', balance.lim, balance.avl, balance.rsv, balance.spt, balance.sus, balance.ovr }, ' '),
    })
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
    call('ZREM', CLOSED, id)
    call('ZREM', IDS, id)
    forgotten = forgotten + 1
  end
end
closeStep()
return { 'swept', nowText, int(collected), int(forgotten) }
