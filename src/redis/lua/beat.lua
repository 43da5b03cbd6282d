#!lua flags=allow-oom
-- Notes that a holder lives; moves no balance and writes no entry.
-- KEYS as the prelude says. ARGV 4: the holder. Answers 'beating' now seq epoch | 'clock-skew' now.
if not openStep() then
  return { 'clock-skew', nowText }
end
call('ZADD', HOLDERS, nowText, ARGV[4])
closeStep()
return { 'beating', nowText, int(seq), epoch }
