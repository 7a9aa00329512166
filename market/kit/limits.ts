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
