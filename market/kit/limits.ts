// Every bound of the market's services in one place.

/** Largest request body, in bytes; above it 413. */
export const BODY_BYTES = 1_048_576;
/** Most entries a page may have, and how many it has when nobody asks. */
export const PER_PAGE_MAX = 100;
export const PER_PAGE_DEFAULT = 20;
/** Highest page number: keeps `page * per_page` far from what an integer column can hold. */
export const PAGE_MAX = 1_000_000;
/** Highest product id and highest amount of cents accepted from outside (a 32-bit column's). */
export const ID_MAX = 2_147_483_647;
export const CENTS_MAX = 2_147_483_647;
/** Most ids in one bulk question. */
export const BULK_IDS = 100;
/** Most pieces of one product in a cart or an order, and most lines. */
export const LINE_QUANTITY = 99;
export const LINES = 50;

/** How long an answer of the tower is used without asking again, in ms. */
export const DIRECTORY_CACHE_MS = 1_000;
/** Longest wait for the tower, and for one try at another service, in ms. */
export const TOWER_TIMEOUT_MS = 500;
export const CALL_TIMEOUT_MS = 3_000;
/** Most endpoints tried for one call. */
export const CALL_ENDPOINTS = 3;
/** Wait before the catalogue is asked for again after a failure, doubling to the maximum, in ms. */
export const CATALOGUE_RETRY_MIN_MS = 25;
export const CATALOGUE_RETRY_MAX_MS = 2_000;

/** Longest wait at SIGTERM for requests under way, in ms; then they are cut. */
export const STOP_MS = 5_000;
/** How long SQLite waits for another replica's write, in ms. */
export const SQLITE_BUSY_MS = 5_000;
/** Tries of one transaction that lost against another (deadlock, serialization). */
export const TRANSACTION_TRIES = 10;
/** Most connections a replica opens to PostgreSQL. */
export const POSTGRES_CONNECTIONS = 5;

/** How long a session is good for, in ms: a week. */
export const SESSION_MS = 7 * 24 * 3_600_000;
/** How long user-svc's public keys are used without asking again, in ms. */
export const KEYS_REFRESH_MS = 60_000;
/** How long user-svc uses its own list of keys without reading it again, in ms. */
export const KEYS_READ_MS = 2_000;
/** A new key is shown for so long before it signs: then everybody has asked again. */
export const KEY_AHEAD_MS = KEYS_REFRESH_MS + 2 * KEYS_READ_MS;
/** A key that is so old is replaced, in ms: 30 days. */
export const KEY_LIFE_MS = 30 * 24 * 3_600_000;
/** Where a token names a key that is not among them: no sooner than this after the last time. */
export const KEYS_MISSING_MS = 2_000;
/** How old what is known of sessions that were called back may be, in ms; longest wait for it. */
export const REVOKED_READ_MS = 2_000;
export const REVOKED_TIMEOUT_MS = 500;
/** Most entries of the list of such sessions, in one answer, and of single sessions of one user. */
export const REVOKED_MAX = 20_000;
export const REVOKED_PAGE = 1_000;
export const REVOKED_PER_USER = 20;

/** Most password hashes a replica computes at once: each takes 32 MiB and a core. */
export const PASSWORD_HASHES_AT_ONCE = 2;
/** Most accounts that one client may open within the window. */
export const REGISTRATIONS_PER_CLIENT = 300;
/** Most tries to sign in within the window: to one account from one client, each in all. */
export const ATTEMPT_WINDOW_MS = 15 * 60_000;
export const ATTEMPTS_PER_ACCOUNT_AND_CLIENT = 10;
export const ATTEMPTS_PER_ACCOUNT = 100;
export const ATTEMPTS_PER_CLIENT = 300;

/** How long a token to choose a new password with is good for, in ms. */
export const RESET_MS = 30 * 60_000;
/** Most such tokens that are asked for within the window: for one address, by one client. */
export const FORGOTS_PER_ADDRESS = 5;
export const FORGOTS_PER_CLIENT = 30;
/** Most letters about forgotten passwords that are kept at once. */
export const LETTERS_MAX = 10_000;
/** How long a letter is kept: longer than a job is tried; how often is seen to both, in ms. */
export const LETTERS_KEPT_MS = 24 * 3_600_000;
export const LETTER_SWEEP_MS = 5_000;
/** Most letters that one sweep hands over. */
export const LETTER_SWEEP_BATCH = 50;
/** How often a service that sends letters itself looks for what another replica took in, in ms. */
export const LETTERS_POLL_MS = 2_000;

/** How long a product looked at is shown without asking again, and while product-svc is away, ms. */
export const PRICE_FRESH_MS = 2_000;
export const PRICE_STALE_MS = 3_600_000;
/** A cart line that nobody has changed for so long is forgotten, and how often that is seen to. */
export const CART_KEPT_MS = 90 * 24 * 3_600_000;
export const CART_SWEEP_MS = 3_600_000;
/** An order left half-way by a lost replica is taken back after this long; how often one looks. */
export const ORDER_ABANDONED_MS = 15_000;
export const ORDER_SWEEP_MS = 5_000;
/** Most orders one sweep takes on. */
export const ORDER_SWEEP_BATCH = 50;
/** Most reviews without a verdict on their badge that one look at a product asks about. */
export const REVIEW_RECHECKS = 5;
/** Products a visitor viewed within this time count as viewed together; most of them, in ms. */
export const VIEWED_TOGETHER_MS = 3_600_000;
export const VIEWED_TOGETHER = 10;
/** How far back trending looks, and how long a visitor's views are kept, in ms. */
export const TRENDING_MS = 7 * 24 * 3_600_000;
export const VIEWS_KEPT_MS = 24 * 3_600_000;
/** Longest list of recommendations. */
export const RECOMMENDATIONS = 100;
/** Most words of a search that count, and longest search in characters. */
export const SEARCH_WORDS = 12;
export const SEARCH_CHARACTERS = 200;
/** Largest file of the front, in bytes: all are kept in memory. */
export const FRONT_FILE_BYTES = 4 * 1024 * 1024;
/** How long a token between services is good for, in ms. */
export const SERVICE_TOKEN_MS = 60_000;

/** Most bytes of a job's payload, as JSON. */
export const JOB_BYTES = 64 * 1024;
/** Most jobs that a worker does at once, and longest time for one try, in ms. */
export const JOBS_AT_ONCE = 4;
export const JOB_TIMEOUT_MS = 30_000;
/** How often a worker looks for jobs that another replica took in, in ms. */
export const JOBS_POLL_MS = 500;
/** Tries of a job, and the wait after a failure, doubling to the maximum, in ms: about two hours. */
export const JOB_ATTEMPTS = 18;
export const JOB_BACKOFF_MS = 1_000;
export const JOB_BACKOFF_MAX_MS = 10 * 60_000;
/** A worker that says nothing for so long has lost its jobs, in ms. */
export const JOB_LEASE_MS = 5_000;
/** How long a job that was done is remembered, and how often the older are forgotten, in ms. */
export const JOBS_KEPT_MS = 7 * 24 * 3_600_000;
export const JOB_SWEEP_MS = 3_600_000;
/** Most dead jobs shown at once. */
export const DEAD_JOBS_SHOWN = 100;
/** How often is looked for what has run low, and how often the lists are made anew, in ms. */
export const REORDER_EVERY_MS = 60_000;
export const REBUILD_EVERY_MS = 3_600_000;
/** Longest wait for a mail server to take a connection, and to say anything at all, in ms. */
export const MAIL_CONNECT_MS = 10_000;
/**
 * Longest wait for the server's word on a mail that it has wholly, in ms. RFC 5321, 4.5.3.2.6: who
 * gives up sooner makes it deliver twice.
 */
export const MAIL_END_MS = 10 * 60_000;
/** Most mails that are kept as files where there is no mail server. */
export const OUTBOX_MAILS = 1_000;

/** Most log lines a program keeps for a telemetry sink, and most sent at once. */
export const TELEMETRY_PENDING = 5_000;
export const TELEMETRY_BATCH = 500;
/** How often they are sent, and how seldom at most while the sink is away, in ms. */
export const TELEMETRY_FLUSH_MS = 2_000;
export const TELEMETRY_BACKOFF_MAX_MS = 30_000;
/** Longest wait for the sink, in ms. */
export const TELEMETRY_TIMEOUT_MS = 2_000;
/** What the sink keeps: bytes of log lines, spans, values. */
export const SINK_LOG_BYTES = 64 * 1024 * 1024;
export const SINK_SPANS = 50_000;
export const SINK_POINTS = 50_000;
/** Most entries it shows at once. */
export const SINK_SHOWN = 1_000;
/** Most spans that it looks at and tells of each time, and most programs and values of each. */
export const SINK_TAKEN_SPANS = 4_000;
export const SINK_TOLD_SPANS = 400;
export const SINK_TOLD_PROGRAMS = 64;
export const SINK_TOLD_VALUES = 60;
/** Longest list in a line of its log, in bytes: a node cuts lines at 8 KiB. */
export const SINK_LINE_BYTES = 7_000;
/** Over how long it measures rates; and a value that was told before this is not told of any more, ms. */
export const SINK_RATE_MS = 10_000;
export const SINK_FRESH_MS = 75_000;
/** How often it says how the programs answer, and how often each replica looks for its turn, in ms. */
export const SINK_SUMMARY_MS = 10_000;
export const SINK_SUMMARY_LOOK_MS = 2_000;
