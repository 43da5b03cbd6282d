#!lua flags=allow-oom
-- Registers the exporter of the stream, or moves on what it has; never back, and never beyond the last entry.
-- KEYS as the prelude says. ARGV 4: the last entry that it has. Answers 'acknowledged' now | 'clock-skew' now.
if not openStep() then
  return { 'clock-skew', nowText }
end
call('HSET', META, 'exported', int(math.max(exported or 0, math.min(tonumber(ARGV[4]), seq))))
closeStep()
return { 'acknowledged', nowText }
