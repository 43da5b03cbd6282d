#!lua flags=no-writes
-- Reads balances as they stand at store time; writes nothing, not even what slid out.
-- KEYS from 10: balances. Answers now, the last entry's number, then six figures a balance, or '' for one that is not there.
openStep()
local answer = { nowText, int(seq) }
for i = FIRST_OWN_KEY, #KEYS do
  local balance = balanceOf(KEYS[i])
  answer[#answer + 1] = balance.exists
    and table.concat({ balance.lim, balance.avl, balance.rsv, balance.spt, balance.sus, balance.ovr }, ' ') or ''
end
return answer
