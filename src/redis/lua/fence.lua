#!lua flags=no-writes
-- The fence: the same in every version, salted by the epoch alone. Where the server knows it, the server is the one we wrote to.
-- KEYS none. ARGV none. Answers its name.
return 'purser fence EPOCH'
