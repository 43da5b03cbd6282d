#!lua flags=allow-oom
-- Registers the exporter of the stream, or moves on what it has; never back, and never beyond the last entry.
-- KEYS as the prelude says. ARGV 4: the last entry that it has. Answers 'acknowledged' now SEQ, the last
-- entry that it has then | 'clock-skew' now.
if not openStep() then
  return { 'clock-skew', nowText }
end
local has = int(math.max(exported or 0, math.min(tonumber(ARGV[4]), seq)))
call('HSET', META, 'exported', has)
closeStep()
return { 'acknowledged', nowText, has }
