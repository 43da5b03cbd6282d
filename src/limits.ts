// Every bound in the program on one page, each with its why; their relations are checked when this page is loaded.
import { assert } from './core/assert.ts'
import type { LedgerRules } from './core/ledger-rules.ts'

/** Sizes of requests and answers. */
export const BODY_BYTES_MAX = 33_554_432 // 32 MiB: the route's buffer in the shipped Envoy configuration; longer prompts do not exist yet
export const GRPC_MESSAGE_BYTES_MAX = 67_108_864 // twice the body: headers, metadata and a replaced body travel in the same message
export const INFLATED_BYTES_MAX = 67_108_864 // a compressed body may grow to this and no further: what a gzip bomb can cost us
export const JSON_DEPTH_MAX = 128 // deeper than any client library writes, shallow enough to hold as a stack of small numbers
export const SCAN_SLICE_BYTES = 262_144 // bytes read of a body before the event loop gets its turn: about 2 ms
export const CAPTURE_BYTES_MAX = 65_536 // of one captured value (usage, model): reports are under 2 KB
export const SSE_EVENT_BYTES_MAX = 1_048_576 // a longer event is passed on unread and counted by its size
export const HEADER_VALUE_BYTES_MAX = 8_192 // a longer identity value is treated as absent
export const MODEL_NAME_CHARS_MAX = 256 // twice the longest name of any provider; a longer one has no price, and meets no regular expression
export const PRICE_CACHE_MAX = 4_096 // names remembered with what they resolve to, hostile ones included: about 2 MB

/** The tokenizer, for policies that ask for it. */
export const TOKENIZED_BYTES_MAX = 262_144 // of one body counted exactly: some 20 ms of prose; what is beyond is bounded by its bytes
export const TOKENIZER_BODY_BYTES_MAX = 4_194_304 // copied to the thread: under 2 ms; a longer body keeps the bound by its bytes
export const TOKENIZER_MS_MAX = 200 // how long a verdict waits for a count before the bound by bytes stands
export const TOKENIZER_QUEUE_MAX = 32 // bodies of usual size that the thread counts in that time

/** Shapes of a reservation: LEDGER law. */
export const LINES_MAX = 64 // limits that bind one call; more are refused, never cut
export const ALTERNATIVES_MAX = 4
export const TOLD_LIMITS_MAX = 8 // limits that the headers of one answer tell of: some 100 bytes each
export const FITTING_TRIED_MAX = 8 // models that a refusal is weighed against, to name one that would fit: each costs an estimate
export const HEADROOM_SEEN_MAX = 10_000 // budgets remembered with what they had left, to aim lowered bounds by: about 2 MB
export const AMOUNT_MAX: bigint = 2n ** 53n - 1n // the largest integer that a Redis script compares exactly
export const LIMIT_MAX: bigint = 10n ** 18n // $1 billion in nano-USD, well inside int64 with the arithmetic done on it
export const PARTITION_BYTES_MAX = 128 // longer partition values are kept as their SHA-256

/** Times, in ms. */
export const DEADLINE_MS = 3_600_000 // no answer takes longer than an hour; what is open then is charged and freed
export const BEAT_MS = 3_000
export const HOLDER_STALE_MS = 15_000 // five missed beats: longer than any pause of a healthy process
export const SWEEP_MS = 2_000
export const SWEEP_BATCH = 100
export const NOT_AFTER_MS = 5_000 // a reserve that waited longer than this in some queue has lost its caller
export const CLOCK_SKEW_MS = 60_000
export const ANSWER_LATE_MS = 10_000 // store time in an answer is hardly older: more than timeouts of Redis or a disk that stalls make it
export const TOMBSTONE_MS = 60_000
export const RETAIN_PROVEN_MS = 900_000
export const RETAIN_UNPROVEN_MS = 86_400_000
export const COLLECT_AFTER_MS = 7_200_000 // calendar balances live this long past their window's end
export const VERSION_FORGET_MS = 60_000 // an older version of a limit counts again when no newer one came for this long
export const PRESENT_EVERY_MS = 10_000 // refusals are to cost no write, but six of these must fit into the time before
export const RESUME_GAP_MS = 5_000
export const RECOVER_MS = 1_500 // what a recovering store waits for holders at most: Envoy's clients wait no longer either
export const SETTLES_AT_ONCE = 8 // of one script: nobody waits for a settlement, but every reserve waits for the script before it
export const RECOVER_POLL_MS = 25
export const HELD_CLOSED_MS = 60_000 // settlements kept to be told again to a store that lost them
export const HELD_CLOSED_MAX = 50_000 // about 50 MB
export const BALANCES_SEEN_MAX = 10_000 // remembered to tell after a loss what nobody accounts for
export const OVERDUE_GRACE_MS = 300_000 // how late a sweep may close what is due before a proof calls it forgotten: thousands at once take a minute
export const LEDGER_STREAM_TOP = 100_000_000 // entries that a stream may be told to keep: tens of GB
export const LEDGER_TIMEOUT_MS = 250
export const GUARD_WAIT_MS = 100 // for replicas to have a reservation: far above their usual lag, and the answer still comes in time
export const GUARD_AGAIN_MS = 250 // after replicas were missing, as long as between two probes of a server that is away
export const MEMORY_WATCH_MS = 10_000
export const MEMORY_ALARM_RATIO = 0.8 // of maxmemory: time to act before reserves are refused
export const ENVOY_MESSAGE_TIMEOUT_MS = 2_000 // message_timeout of the shipped configuration: every verdict comes sooner
export const SLIDING_BUCKETS = 60

/** Calls that wait for room. */
export const QUEUE_WAIT_MAX_MS = 1_500 // what an attempt then still takes, with a retry at the ledger, must end before Envoy gives up
export const QUEUE_MAX = 1_000 // of one replica
export const QUEUE_OF_BUDGET_MAX = 100 // more could not be served in so short a time, and are better told at once
export const QUEUE_BYTES_MAX = 67_108_864 // 64 MiB of bodies that wait, two of the longest
export const QUEUE_POLL_MS = 100 // other replicas give back too; doubled each time that nothing comes of it
export const QUEUE_POLL_MAX_MS = 400

/** Refusals that are repeated from memory. */
export const STORM_ASK_MS = 1_000 // the ledger is asked anew after this: two replicas together ask twice a second
export const STORM_STALE_MS = 2_000 // while that answer is on its way the old one stands, but never for longer than this
export const STORM_GAP_MS = 10_000 // refusals further apart than this are not in a row: nobody loops so slowly
export const STORMS_MAX = 10_000 // subjects and budgets of one replica: about 10 MB

/** Requests that come again. */
export const REPEATS_MAX = 20_000 // different requests that one replica remembers: about 10 MB
export const REPEATS_TIMES_MAX = 500_000 // and how often all of them came: 4 MB

/** Streams that are cut. */
export const CUT_SLICE_BYTES = 1_024 // looked at one by one: a few events, so that what was reserved for is not cut with what was not

/** The door. */
export const LOOP_LATE_MS = 100 // a loop held for longer may have lost what a cut stream had brought
export const LOOP_LATE_FOR_MS = 1_000 // and for so long after it: messages of many streams are worked off one by one
export const LOOP_LAG_MAX_MS = 500 // a verdict waits for up to three turns of the event loop: beyond this it would miss Envoy's timeout
export const LOOP_SAMPLE_MS = 20
export const VERDICT_WAIT_MAX_MS = 1_500 // of what Envoy waits: the rest is for what lies unread before the door
export const VERDICT_FIRST_MS = 1 // a guess at the time between two verdicts until enough were given
export const VERDICTS_SMOOTHED = 64 // two batches of the ledger: they are answered all at once
export const VERDICTS_TAKEN_ALWAYS = 32 // one batch: where so few wait, the time between two says little
export const OPEN_EXCHANGES_MAX = 12_000 // of one replica, 55 KB each: more would not fit into its usual gibibyte
export const HELD_MESSAGES_MAX = 16 // messages of one stream that wait for a verdict; Envoy sends none, others are slowed down
export const STREAM_RESETS_BURST = 1_000_000_000 // Envoy ends every exchange with a reset: no rate of them is an attack
export const GRPC_KEEPALIVE_MS = 30_000 // how long a proxy that vanished can keep its exchanges open, with the next
export const GRPC_KEEPALIVE_TIMEOUT_MS = 10_000
export const CERTIFICATE_LOOK_MS = 1_000 // between two looks at the door's PEM files: a few KB
export const WARN_EVERY_MS = 10_000 // the same complaint about the wiring is logged once in this time

export const DUPLEX_PIECE_BYTES_MAX = 62_000 // Envoy takes 64 KB with the message around it

/** Reservations that others settle, and the access log. */
export const HANDOVER_CHARS_MAX = 2_048 // a usual one has 300; a longer one goes without its prices, and settles at the estimate
export const HANDED_OVER_HELD_MS = 60_000 // what a store that comes back may lack is seconds old: after that another process has it in hand
export const HANDED_OVER_HELD_MAX = 50_000 // about 50 MB
export const UNKNOWN_KEEP_MS = 30_000 // a reservation that the ledger does not know may still be told to it again, by whoever held it
export const LOG_PATIENCE_MS = 10_000 // before the log alone closes what is open: twice as long as Envoy keeps a settling stream after an abort
export const LOG_WAITING_MAX = 20_000 // about 20 MB; beyond it nothing waits
export const RETRIES_CHARGED_MAX = 16 // attempts of one call; routes make a few

/** Fair shares. */
export const SHARE_LOOK_MS = 1_000 // how late a replica may learn that a partition of another one became active

/** Warnings of budgets. */
export const WARN_LOOK_MS = 1_000 // after a charge, so that what many calls charge is one look
export const WARN_LOOK_MAX = 1_000 // budgets looked at together; the rest is seen with their next calls
export const WARNINGS_REMEMBERED_MAX = 10_000 // about 2 MB
export const WEBHOOK_TIMEOUT_MS = 10_000
export const WEBHOOK_RETRIES_MS: readonly number[] = [1_000, 5_000, 30_000, 120_000, 600_000] // a receiver that is deployed anew is back by then
export const WEBHOOK_PENDING_MAX = 1_000 // about 2 MB

/** The outbox of settlements while the ledger is away. */
export const OUTBOX_MAX = 20_000 // about 20 MB; beyond it the sweep charges what is open
export const OUTBOX_KEEP_MS = 840_000 // a minute under the retention of records: a later repeat would be charged again
export const ARREARS_KEEP_MS = 82_800_000 // an hour under the retention of charges without a reserve
export const OUTBOX_RETRY_MS = 100
export const OUTBOX_RETRY_MAX_MS = 5_000

/** The numbers of the ledger's law, as the core is told them. */
export const LEDGER_RULES: LedgerRules = {
  linesMax: LINES_MAX,
  alternativesMax: ALTERNATIVES_MAX,
  amountMax: AMOUNT_MAX,
  limitMax: LIMIT_MAX,
  deadlineMs: DEADLINE_MS,
  holderStaleMs: HOLDER_STALE_MS,
  sweepBatch: SWEEP_BATCH,
  clockSkewMs: CLOCK_SKEW_MS,
  tombstoneMs: TOMBSTONE_MS,
  retainProvenMs: RETAIN_PROVEN_MS,
  retainUnprovenMs: RETAIN_UNPROVEN_MS,
  collectAfterMs: COLLECT_AFTER_MS,
  versionForgetMs: VERSION_FORGET_MS,
  presentEveryMs: PRESENT_EVERY_MS,
  resumeGapMs: RESUME_GAP_MS,
}

/** Group commit. */
export const BATCH_REQUESTS_MAX = 32
export const BATCH_LINES_MAX = 512

assert(GRPC_MESSAGE_BYTES_MAX >= 2 * BODY_BYTES_MAX, 'a message holds a replaced body beside its headers')
assert(PRESENT_EVERY_MS * 6 <= VERSION_FORGET_MS, 'a limit in use is not forgotten')
assert(ANSWER_LATE_MS > 2 * LEDGER_TIMEOUT_MS, 'an answer that is late does not pass for a clock that was set back')
assert(HOLDER_STALE_MS >= 5 * BEAT_MS, 'a few lost beats kill nobody')
assert(
  TOKENIZER_MS_MAX + 2 * LEDGER_TIMEOUT_MS + 100 < ENVOY_MESSAGE_TIMEOUT_MS,
  'a count, a reserve and its retry end before Envoy gives up',
)
assert(QUEUE_WAIT_MAX_MS + 2 * LEDGER_TIMEOUT_MS <= ENVOY_MESSAGE_TIMEOUT_MS, 'whoever waited hears of it in time')
assert(2 * GUARD_WAIT_MS < LEDGER_TIMEOUT_MS, 'a wait for replicas, and another before it on the socket, end in time')
assert(TOKENIZER_BODY_BYTES_MAX >= TOKENIZED_BYTES_MAX, 'what is counted fits into what is sent')
assert(STORM_STALE_MS < STORM_GAP_MS && STORM_STALE_MS > STORM_ASK_MS + 2 * LEDGER_TIMEOUT_MS, 'an answer that is on its way comes first')
assert(VERDICT_WAIT_MAX_MS < ENVOY_MESSAGE_TIMEOUT_MS, 'whoever is let in has its verdict before Envoy gives up')
assert(3 * LOOP_LAG_MAX_MS < ENVOY_MESSAGE_TIMEOUT_MS, 'a busy loop refuses before Envoy gives up')
assert(BATCH_LINES_MAX >= LINES_MAX * ALTERNATIVES_MAX, 'one request always fits a batch')
assert(LIMIT_MAX + AMOUNT_MAX * 2n < 2n ** 63n, 'balances stay inside int64')

/** Policies from files. */
export const POLICY_FILE_BYTES_MAX = 4_194_304 // thousands of objects; a longer file is refused before it is parsed
export const POLICY_FILES_MAX = 5_000 // of one folder: beyond it the path is surely not the folder that was meant

/** Policies from the Kubernetes API. */
export const LIST_PAGE = 2_000 // objects asked for at once, some 25 ms to parse: every further page costs a server a quarter of a second
export const LIST_PAGE_BYTES_MAX = 134_217_728 // 128 MiB: 2,000 objects of ours with all that a server adds to them are under 16 MiB
export const LIST_IDLE_MS = 30_000 // a server that is silent for so long in the middle of a list has forgotten us
export const WATCH_LINE_BYTES_MAX = 8_388_608 // one event: etcd keeps no object over 1.5 MiB, and no request over 3 MiB is taken
export const WATCH_SECONDS_MIN = 240 // a watch ends by itself between this and the next, so that replicas do not come back together
export const WATCH_SECONDS_MAX = 480
export const WATCH_IDLE_MS = 100_000 // bookmarks come every minute: after so long a silence nobody is at the other end
export const WATCH_GOOD_MS = 5_000 // a watch that lived so long was none that fails at once: the next attempt does not wait longer
export const WATCH_RETRY_MS = 200
export const WATCH_RETRY_MAX_MS = 10_000 // how late a server may be heard of that is back; a few small requests in that time harm none
export const ABSENT_LOOK_MS = 5_000 // how late an API is noticed that was installed after us; one small request in that time
export const RETRY_AFTER_MAX_MS = 60_000 // a server that asks for more is not meant to be obeyed
export const OBJECTS_SLICE = 25 // objects checked and compiled before the event loop gets its turn: about 3 ms
export const PROBLEMS_TOLD_MAX = 50 // of one change, in one log line; the count is told besides

/** The controller. */
export const LEASE_MS = 15_000 // for how long leadership is left to a leader that is not heard of; the numbers of client-go
export const LEASE_RENEW_MS = 10_000 // a leader that could not renew for so long stops, well before another may begin
export const LEASE_RETRY_MS = 2_000
export const LEASE_REQUEST_MS = 5_000 // for one silent request: there is time for another before leadership is lost
export const WRITE_REQUEST_MS = 10_000
export const STATUS_WRITERS = 4 // statuses written at once: some hundred a second, and never more than this open on the server
export const SNAPSHOT_EVERY_MS = 30_000 // figures that move are written at most so often: a status is no place for live numbers
export const READINGS_EVERY_MS = 5_000 // how late a crossed threshold is told
export const PARTITIONS_EVERY_MS = 30_000 // a limit may have 100,000 partitions, and all are read
export const LEDGER_AWAY_MS = 20_000 // a ledger that misses some readings is not yet a change in the status of every policy
export const RESYNC_MS = 30_000 // everything is judged anew: keys expire, and namespaces get labels, without a word to their policies
export const STATUS_MESSAGE_CHARS_MAX = 1_024 // what a terminal shows of a condition is less
export const NOTE_CHARS_MAX = 1_000 // of an Event: the API takes 1,024 bytes
export const ANCESTORS_MAX = 16 // as Gateway API bounds its own
export const TOLD_MAX = 10_000 // Events remembered as told: a server forgets them after an hour

/** The doctor. */
export const CONFIG_BYTES_MAX = 268_435_456 // of a configuration: dumps of gateways with thousands of routes are some tens of MB
export const CONFIG_WAIT_MS = 30_000 // Envoy writes its dump on the main thread; a large one takes seconds

/** Forms. */
export const PARTS_MAX = 1_024 // of one multipart body: 16 images and some tens of fields are the most that an API takes
export const PART_HEAD_BYTES_MAX = 4_096 // headers of one part: a field's name, a file's name and two media types
assert(ARREARS_KEEP_MS + 3_600_000 <= RETAIN_UNPROVEN_MS, 'nor a charge without a reserve')
assert(OUTBOX_KEEP_MS + 60_000 <= RETAIN_PROVEN_MS, 'no outbox keeps a move longer than the ledger keeps its record')
assert(LEASE_RENEW_MS + LEASE_RETRY_MS < LEASE_MS, 'a leader has stopped before another begins')
assert(LEASE_REQUEST_MS < LEASE_RENEW_MS, 'one lost request costs no leadership')
assert(WATCH_IDLE_MS < WATCH_SECONDS_MIN * 1_000, 'a dead watch is noticed before it would have ended')
