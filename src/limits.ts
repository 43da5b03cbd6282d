// Every bound in the program on one page, each with its why; their relations are checked when this page is loaded.
import { assert } from './core/assert.ts'

/** Sizes of requests and answers. */
export const BODY_BYTES_MAX = 33_554_432 // 32 MiB: the route's buffer in the shipped Envoy configuration; longer prompts do not exist yet
export const GRPC_MESSAGE_BYTES_MAX = 67_108_864 // twice the body: headers, metadata and a replaced body travel in the same message
export const INFLATED_BYTES_MAX = 67_108_864 // a compressed body may grow to this and no further: what a gzip bomb can cost us
export const JSON_DEPTH_MAX = 128 // deeper than any client library writes, shallow enough to hold as a stack of small numbers
export const SCAN_SLICE_BYTES = 262_144 // bytes read of a body before the event loop gets its turn: about 2 ms
export const CAPTURE_BYTES_MAX = 65_536 // of one captured value (usage, model): reports are under 2 KB
export const SSE_EVENT_BYTES_MAX = 1_048_576 // a longer event is passed on unread and counted by its size
export const HEADER_VALUE_BYTES_MAX = 8_192 // a longer identity value is treated as absent

/** Shapes of a reservation: LEDGER law. */
export const LINES_MAX = 64 // limits that bind one call; more are refused, never cut
export const ALTERNATIVES_MAX = 4
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
export const TOMBSTONE_MS = 60_000
export const RETAIN_PROVEN_MS = 900_000
export const RETAIN_UNPROVEN_MS = 86_400_000
export const COLLECT_AFTER_MS = 7_200_000 // calendar balances live this long past their window's end
export const VERSION_FORGET_MS = 60_000 // an older version of a limit counts again when no newer one came for this long
export const RESUME_GAP_MS = 5_000
export const LEDGER_TIMEOUT_MS = 250
export const ENVOY_MESSAGE_TIMEOUT_MS = 2_000 // message_timeout of the shipped configuration: every verdict comes sooner
export const SLIDING_BUCKETS = 60

/** Group commit. */
export const BATCH_REQUESTS_MAX = 32
export const BATCH_LINES_MAX = 512

assert(GRPC_MESSAGE_BYTES_MAX >= 2 * BODY_BYTES_MAX, 'a message holds a replaced body beside its headers')
assert(HOLDER_STALE_MS >= 5 * BEAT_MS, 'a few lost beats kill nobody')
assert(2 * LEDGER_TIMEOUT_MS + 100 < ENVOY_MESSAGE_TIMEOUT_MS, 'a reserve and its retry end before Envoy gives up')
assert(BATCH_LINES_MAX >= LINES_MAX * ALTERNATIVES_MAX, 'one request always fits a batch')
assert(LIMIT_MAX + AMOUNT_MAX * 2n < 2n ** 63n, 'balances stay inside int64')
