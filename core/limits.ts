// Every bound of the system in one place. Bounds protect a daemon from its peers and from its own
// mistakes; changing one here changes it everywhere, its tests included.

/** Largest v1 or mesh datagram accepted, in bytes. */
export const DATAGRAM_BYTES = 16_384;
/** What sealing adds to a datagram, in bytes: its head and its tag. */
export const SEAL_OVERHEAD_BYTES = 32;
/**
 * Largest text of a steady-state mesh datagram, in bytes: sealed it has at most 1,200 and so fits
 * one packet on any real network.
 */
export const STEADY_DATAGRAM_BYTES = 1_200 - SEAL_OVERHEAD_BYTES;
/** Largest manifest text, in bytes. */
export const MANIFEST_BYTES = 262_144;
/** Most apps in one manifest file. */
export const MANIFEST_APPS = 1_000;
/** Deepest nesting of blocks in a manifest; the language itself needs 3. */
export const MANIFEST_DEPTH = 8;
/** Most errors reported for one manifest; the rest are counted. */
export const MANIFEST_ERRORS = 1_000;
/** Most characters of a source line shown with an error. */
export const MANIFEST_EXCERPT = 200;
/** Most replicas one app may ask for. */
export const APP_REPLICAS = 100_000;
/** A signed command is refused when its time is further than this from the verifier's clock, s. */
export const SIGNED_WINDOW_S = 30;
/** A node whose clock is further than this from the conductor's is called wrong, ms. */
export const CLOCK_OFF_MS = 5_000;
/** The largest command body accepted over TCP, in bytes. */
export const COMMAND_BYTES = 1_048_576;
/** Most datagrams a source address may have verified per second before it is ignored. */
export const VERIFY_PER_SECOND = 50;
/** Datagrams of one source that the conductor's command port looks at in a second. */
export const DATAGRAMS_PER_SECOND = 2_000;
/** The same for all source addresses together. */
export const VERIFY_ALL_PER_SECOND = 500;
/** Source addresses that the conductor tells apart at a time. */
export const SOURCES = 10_000;
/** Refused commands told one by one in the history: of one source, and of all, in a minute. */
export const REFUSALS_TOLD = 5;
export const REFUSALS_TOLD_ALL = 200;
/** How long the id of an executed command is remembered, so that a repeat is not executed, in s. */
export const COMMAND_ID_S = 3_600;
/** Most keys that the log's operators may have had, and grants that one of them may hold. */
export const OPERATORS = 1_000;
export const OPERATOR_GRANTS = 64;
/** The conductor signs a checkpoint of its log after so many entries, or so many ms. */
export const CHECKPOINT_ENTRIES = 100;
export const CHECKPOINT_MS = 60_000;
/** Checkpoints that a node keeps. */
export const CHECKPOINTS = 1_000;
/** Lines that wait for a syslog server that does not take them; the oldest are dropped. */
export const SYSLOG_QUEUE = 10_000;
export const SYSLOG_RETRY_MS = 5_000;
/** Largest secret, in bytes, and most of them. */
export const SECRET_BYTES = 65_536;
export const SECRETS = 10_000;
/** A secret's line that is shorter than this is not looked for in what a program writes. */
export const REDACT_CHARACTERS = 6;
/** How long a node waits for a replica's secrets, in ms. */
export const SECRETS_MS = 30_000;
/** Most namespaces with a quota. */
export const QUOTAS = 10_000;
/** Most nodes of the original that a conductor with `--mesh open` shows. */
export const V1_NODES = 1_000;

/** How often a node beats, in ms, while the fleet is small. */
export const BEAT_MS = 250;
/** A node that is probed beats at once, but not within this time of its last beat, in ms. */
export const BEAT_HURRY_MS = 50;
/** Most beats a second the conductor wants to see: with more nodes they beat more slowly. */
export const BEATS_PER_SECOND = 800;
/** A node that has missed so many beats, and this much longer in ms, is a suspect. */
export const SUSPECT_BEATS = 3;
export const SUSPECT_SLACK_MS = 50;
/**
 * How long a suspect then has to be heard of by anybody: the least where all witnesses found it
 * silent, the most where none has said so. docs/ARCHITECTURE.md has the arithmetic.
 */
export const SUSPICION_MIN_MS = 950;
export const SUSPICION_MAX_MS = 1_950;
/** The longest silence before a node of a small fleet is dead, in ms. */
export const NODE_DEAD_MS = SUSPECT_BEATS * BEAT_MS + SUSPECT_SLACK_MS + SUSPICION_MAX_MS;
/** How many other nodes look for a suspect. */
export const WITNESSES = 2;
/** A suspect is probed this often, in ms; a witness does it so many times before it says no. */
export const PROBE_EVERY_MS = 100;
/**
 * Probes, and words to witnesses, that the conductor sends a second, however many are suspects: up to
 * 100 at once are probed every `PROBE_EVERY_MS`, more of them the less often.
 */
export const PROBES_PER_SECOND = 2_000;
/** A suspect that was probed less often is not given up, in a crowd of them. */
export const PROBES_BEFORE_DEATH = 4;
export const WITNESS_PROBES = 4;
/** A witness that has not answered is asked again after this, and after so many times another. */
export const WITNESS_ASK_MS = 200;
export const WITNESS_ASKS = 4;
/** Requests that a witness works on or remembers the answer of at a time. */
export const WITNESS_REQUESTS = 256;
/** A node that witnesses see and the conductor cannot hear is given up after this, in ms. */
export const WITNESSED_MAX_MS = 30_000;
/** How often the conductor looks for silent nodes, in ms. */
export const CONDUCTOR_TICK_MS = 100;
/** An observer woken this much later than it asked accuses nobody for what it missed, in ms. */
export const OBSERVER_LATE_MS = 100;
/** An observer that is often late gives suspects up to so many times as long. */
export const OBSERVER_PATIENCE = 4;
/** The same for a daemon of the original, which beats every 5 s. */
export const V1_NODE_DEAD_MS = 15_000;
/** After its start a conductor waits this long for nodes to report before it calls any dead, ms. */
export const CONDUCTOR_WARMUP_MS = 3_000;

/** Lease of a v1 REGISTER, in ms. */
export const V1_LEASE_MS = 30_000;
/** Lease of a node's whole registration at the tower, in ms; renewed every `LEASE_RENEW_MS`. */
export const LEASE_MS = 5_000;
export const LEASE_RENEW_MS = 500;
/** A fresh tower's list counts only after this long: by then every live node has reported. */
export const TOWER_WARMUP_MS = 2_000;
/** Nodes that are still saying what they hold are waited for beyond that, but not longer than this. */
export const TOWER_WARMUP_MAX_MS = 30_000;
/** An ingress that has not spoken for this long is not waited for when a replica drains, ms. */
export const INGRESS_LEASE_MS = 2_000;
export const INGRESS_ALIVE_MS = 500;
/** Most registered endpoints a tower holds. */
export const TOWER_ENDPOINTS = 2_500_000;
/** Most nodes a tower holds leases for, and most endpoints of one node. */
export const TOWER_NODES = 20_000;
export const NODE_ENDPOINTS = 65_536;
/** Boots and deregistered replicas that a tower remembers per node, to ignore late messages. */
export const NODE_PAST_BOOTS = 8;
export const NODE_GONE_REPLICAS = 64;
/**
 * For `BOOT_DOUBT_MS` after a node's boot changed, its tower may have heard the two in the wrong
 * order: then the other takes over again after this silence of the one, in ms.
 */
export const BOOT_SILENCE_MS = 3 * LEASE_RENEW_MS;
export const BOOT_DOUBT_MS = 10_000;
/**
 * A node daemon whose clock stands at the start before, or earlier, counts as begun so much after
 * that, ms: more than a start says in changes. Nothing is built upon a start later than in 2096.
 */
export const BOOT_STEP_MS = 60_000;
export const BOOT_LAST_MS = 4_000_000_000_000;
/** Most watch streams at a tower; and how long one may stay silent after connecting, in ms. */
export const TOWER_WATCHERS = 20_000;
export const WATCH_HELLO_MS = 5_000;
/** A watcher that lets more than this pile up unread (beyond its snapshot) is closed, in bytes. */
export const WATCH_BUFFER_BYTES = 8 * 1024 * 1024;
/** Most changes in one delta of the watch stream; more become several. */
export const WATCH_DELTA_ITEMS = 20_000;
/** Most replicas that may be leaving at once. */
export const TOWER_DRAINS = 500_000;
/** Most removals that a fresh tower remembers until its list is complete. */
export const WATCH_GONE_REPLICAS = 100_000;
/** How long a tower remembers that a replica is drained, to answer repeated questions, in ms. */
export const DRAINED_MEMORY_MS = 30_000;
/** A tower that holds leases is woken this often, to notice if it is stopped, in ms. */
export const TOWER_PULSE_MS = 500;
/** One that did nothing for so long and was woken so late was not running, in ms. */
export const TOWER_GAP_MS = 700;
export const TOWER_LATE_MS = 20;
/** For so long after that it concludes nothing from silence, in ms. */
export const TOWER_BLIND_MS = 1_000;
/** Leases are looked at for expiry this often at most, in ms. */
export const TOWER_TICK_MS = 50;
/** DNS: most records in an answer, seconds an answer may be kept, and TCP connections at once. */
export const DNS_ANSWERS = 64;
export const DNS_TTL_S = 1;
export const DNS_CONNECTIONS = 256;
export const DNS_IDLE_MS = 10_000;
/** Largest DNS answer over UDP to a resolver that allows more than 512, in bytes (RFC 9715). */
export const DNS_UDP_BYTES = 1_232;

/** First wait before an unanswered mesh request is sent again, doubling to `RETRY_MAX_MS`. */
export const RETRY_MIN_MS = 100;
export const RETRY_MAX_MS = 2_000;
/** How long a node remembers that a replica id is finished, so that a late RUN starts nothing. */
export const TOMBSTONE_MS = 3_600_000;

/** Restart backoff: at once, then this, doubling to `BACKOFF_MAX_MS`, forgotten after health. */
export const BACKOFF_MIN_MS = 100;
export const BACKOFF_MAX_MS = 30_000;
export const BACKOFF_RESET_MS = 60_000;
/** First health probe interval before a replica is ready, doubling up to the manifest's. */
export const PROBE_MIN_MS = 20;

/** Log ring per replica: lines and bytes; a longer line is cut. */
export const LOG_RING_LINES = 1_000;
export const LOG_LINE_BYTES = 8_192;
/** What a follower of many replicas begins with, in characters of lines. */
export const LOG_PAST_CHARACTERS = 1_048_576;
/** Of lines that are there already: a node that sends nothing for so long is passed over, in ms. */
export const LOG_SILENCE_MS = 2_000;
/** A replica's log file is rotated at this size; `LOG_FILES` older ones are kept. */
export const LOG_FILE_BYTES = 10 * 1024 * 1024;
export const LOG_FILES = 3;

/** Nodes of which it is said one by one why they cannot take a replica; the rest is counted. */
export const UNPLACED_NODES = 20;
/** Most replicas that one rebalancing moves. */
export const REBALANCE_MOVES = 500;
/** A node that would be fuller by less than this share is no better a place, 0 to 1. */
export const REBALANCE_LOAD = 0.1;
/** With `--rebalance`: how long after a node came the conductor waits for more to come, in ms. */
export const REBALANCE_REST_MS = 10_000;
/** Most nodes that one what-if adds. */
export const WHAT_IF_NODES = 1_000;
/** Generations kept per app. */
export const GENERATIONS = 50;
/** A new generation whose replica a node refuses for so long has failed, in ms. */
export const ROLLOUT_REFUSED_MS = 3_000;
/** Before anything is stopped for it, nodes are asked whether they can run a new generation. One that
 * says nothing at all for so long is of a version that does not know the question; what one has said
 * is looked into again after so long, all in ms. */
export const PREPARE_UNHEARD_MS = 5_000;
export const PREPARE_AGAIN_MS = 1_000;
export const PREPARED_FRESH_MS = 60_000;
/** A replica that ended this often without getting ready will not get ready by itself. */
export const HOPELESS_RESTARTS = 3;
/** How long an app's first replicas without a health check stand before they count, at most, ms. */
export const FIRST_SETTLE_MS = 1_000;
/** An app with traffic is judged by it for so long after its last step, at most, in ms. */
export const ROLLOUT_WATCH_MS = 3_000;
/** What the old generation did before a rollout without a canary counts for so long back, in ms. */
export const ROLLOUT_BASELINE_MS = 60_000;
/** A new generation with figures is looked at this often, in ms. */
export const ROLLOUT_LOOK_MS = 250;
/** A canary's latencies count from so long after its begin (or from half its time), in ms. */
export const COMPARE_WARM_MS = 5_000;
/** What `why` tells at the most: ends of replicas, and events since the last signed change. */
export const WHY_EXITS = 5;
export const WHY_EVENTS = 40;
/** How sure a comparison of generations must be, in standard deviations: see compare.ts. */
export const COMPARE_Z = 3.29;
/** A share of errors that is larger by no more than this is not worse. */
export const COMPARE_ERRORS = 0.01;
/** A p95 of less than so many times the old one's, or not so many ms more, is not worse. */
export const COMPARE_LATENCY = 1.25;
export const COMPARE_LATENCY_MS = 10;
/** An app is compared with what runs at most once in so many µs for each of its replicas. */
export const RECONCILE_REST_US = 20;
/** Events kept by the conductor. */
export const EVENTS = 10_000;
/** The log is snapshotted after this many entries. */
export const SNAPSHOT_ENTRIES = 500;
/** ... or, with many replicas, after one entry for so many of them. */
export const SNAPSHOT_REPLICAS = 100;

/** Ended runs of a job that are kept, and ticks of its schedule that are looked at at once. */
export const JOB_RUNS = 50;
export const JOB_TICKS = 500;
/** Runs of a job that are shown with it. */
export const JOB_RUNS_SHOWN = 20;
/** A tick that nobody took for so long was missed, in ms. */
export const JOB_LATE_MS = 60_000;
/** A job is looked at at least this often while it waits for a time: clocks are set, in ms. */
export const JOB_LOOK_MS = 30_000;
/** A run whose node stays away for so long will never be known, in ms. */
export const JOB_UNKNOWN_MS = 24 * 3_600_000;
/** How often a job that failed is started again, unless its manifest says otherwise. */
export const JOB_RETRIES = 3;

/** Largest artifact, in bytes, and most of them that the log remembers beside those in use. */
export const ARTIFACT_BYTES = 16 * 1024 ** 3;
export const ARTIFACTS = 10_000;
/** Most files and folders of one artifact. */
export const ARTIFACT_ENTRIES = 200_000;
/** How much of an artifact is sent in one request, in bytes. */
export const ARTIFACT_PART_BYTES = 4 * 1024 * 1024;
/** Artifacts that a conductor sends at once; further nodes are told to ask others, or to wait. */
export const ARTIFACT_SENDS = 4;
/**
 * While one artifact goes to one node the next waits its turn, since the first can help then; but no
 * longer than this, in ms: the first may be slow.
 */
export const ARTIFACT_TURN_MS = 3_000;
/** Most nodes that wait for their turn; others are told at once to ask again. */
export const ARTIFACT_WAITS = 8;
/** Most nodes named to one that looks for an artifact. */
export const ARTIFACT_HOLDERS = 8;
/** The conductor's store may hold so much that no generation names any more, in bytes. */
export const ARTIFACT_STORE_BYTES = 10 * 1024 ** 3;
/** A part of an artifact that nobody has gone on with for so long is thrown away, in ms. */
export const ARTIFACT_PART_MS = 24 * 3_600_000;
/** A node's cache of artifacts, unless it is told otherwise (`--artifacts`), in bytes. */
export const ARTIFACT_CACHE_BYTES = 10 * 1024 ** 3;
/** Disk space that an artifact must leave free on a node, in bytes. */
export const ARTIFACT_SPARE_BYTES = 64 * 1024 * 1024;
/** First wait before a node asks again for an artifact that nobody gave it, doubling, in ms. */
export const ARTIFACT_RETRY_MIN_MS = 200;
export const ARTIFACT_RETRY_MAX_MS = 30_000;
/**
 * What was changed later than this before it was verified is verified again, in ms: Deno tells when a
 * file was changed in whole seconds, and the kernel's clock for files lags by up to 10 ms.
 */
export const ARTIFACT_SETTLE_MS = 1_050;
/** A source of an artifact that sends nothing for so long is given up, in ms. */
export const ARTIFACT_STALL_MS = 10_000;

// ---- seal ----

/** Most daemons that belong to a cluster; and that may wait to come in at once. */
export const MEMBERS = 20_000;
export const JOINS_WAITING = 10_000;

/** Counters of a session that may come late and out of order: a multiple of 32. */
export const REPLAY_WINDOW = 2_048;
/** A session's initiator replaces it after this long or so many datagrams; the old one lives on. */
export const SEAL_REKEY_MS = 600_000;
export const SEAL_REKEY_DATAGRAMS = 2 ** 32;
export const SEAL_OLD_MS = 60_000;
/**
 * A peer that has left so many datagrams unanswered, the first of them for this long in ms, is greeted
 * anew: who speaks seldom does not take one lost datagram for the loss of a session.
 */
export const SEAL_SILENCE_MS = 1_000;
export const SEAL_SILENCE_SENT = 3;
/** Two handshakes with one peer are begun at least this far apart, in ms. */
export const SEAL_GREET_MS = 100;
/** A first message older than this is made anew: its time must be near the responder's clock. */
export const SEAL_FIRST_MS = 10_000;
export const SEAL_CLOCK_MS = 60_000;
/** Datagrams that wait for a session with their peer; the oldest give way. */
export const SEAL_QUEUE = 64;
/** Sessions of one peer that are kept beside the newest, and unconfirmed ones. */
export const SEAL_OLD_SESSIONS = 2;
export const SEAL_UNCONFIRMED = 4;
/** Most peers that a daemon speaks to. */
export const SEAL_PEERS = 20_000;
/**
 * First messages a second that are looked at from addresses that have not proved themselves; beyond
 * the first such number they must come back with a token, beyond the second they are dropped.
 */
export const SEAL_FIRSTS_FREE = 100;
export const SEAL_FIRSTS_LOOKED_AT = 2_000;
/** The same from one address that has, and how many may be worked on at once. */
export const SEAL_FIRSTS_PROVED = 512;
export const SEAL_WORK = 1_024;
/** First messages with a token that are remembered of one peer, so that none counts twice. */
export const SEAL_TAKEN = 64;
/** Secrets from which tokens are made live this long, in ms; the one before still counts. */
export const SEAL_TOKEN_MS = 30_000;
/** How long the handshake of a sealed stream may take, ms; and its largest first message, bytes. */
export const SEAL_HANDSHAKE_MS = 5_000;
export const SEAL_PAYLOAD_BYTES = 16_384;
/** Largest head of a request in a sealed stream; bytes of a body that may be under way unread. */
export const SEAL_HEAD_BYTES = 65_536;
export const SEAL_CREDIT_BYTES = 1024 * 1024;
/** Answers "I know no such session" a second. */
export const SEAL_STALE_PER_SECOND = 500;

// ---- ingress ----

/** Largest head of a request or response (start line and fields), and of a trailer section. */
export const HEAD_BYTES = 16_384;
/** Most fields in one head. */
export const HEAD_FIELDS = 128;
/** Longest method, in bytes. */
export const METHOD_BYTES = 32;
/** Longest chunk-size line, extensions included, in bytes. */
export const CHUNK_LINE_BYTES = 1_024;
/** Most interim (1xx) responses before a final one. */
export const INTERIM_RESPONSES = 16;
/** A request body up to this length is gathered whole before a replica is troubled with it, bytes. */
export const GATHER_BYTES = 65_536;
/** A body that is passed on as it comes must bring so much in each body timeout, in bytes. */
export const SLOW_BODY_BYTES = 1_024;
/** Most client connections of one ingress worker; the next ones wait in the kernel. */
export const CLIENT_CONNECTIONS = 20_000;
/** Idle connections kept to one replica. */
export const IDLE_UPSTREAMS = 64;
/** A failed request is tried again on at most this many other replicas. */
export const ATTEMPTS = 3;
/** Retries may be this share of requests, plus `RETRY_BURST`, so that they cannot double a load. */
export const RETRY_SHARE = 0.2;
export const RETRY_BURST = 100;
/** Consecutive failures after which a replica is left out, and for how long, doubling to the max. */
export const EJECT_FAILURES = 5;
export const EJECT_MIN_MS = 1_000;
export const EJECT_MAX_MS = 30_000;
/** A replica that comes back gets its share of new requests growing over this time. */
export const SLOW_START_MS = 5_000;
/** Clients that a rate limit tells apart at a time; the longest idle are forgotten. */
export const RATE_CLIENTS = 50_000;
/** Upper bounds of the latencies that an ingress counts for those who judge by them, in ms. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1,
  2,
  3,
  5,
  8,
  12,
  20,
  30,
  50,
  80,
  120,
  200,
  300,
  500,
  800,
  1_200,
  2_000,
  5_000,
  10_000,
];
/** How often an ingress tells its figures, in ms; and while a canary is judged by them. */
export const FIGURES_MS = 1_000;
export const FIGURES_CANARY_MS = 250;
/** Most pairs of app and generation in one message of figures, and that one ingress counts. */
export const FIGURES_PAGE = 256;
export const FIGURES_APPS = 10_000;
/** Ingresses and pairs of app and generation whose figures the conductor keeps. */
export const TRAFFIC_INGRESSES = 1_000;
export const TRAFFIC_APPS = 20_000;
/** An ingress that has told no figures for this long is not counted among those that see, in ms. */
export const TRAFFIC_SILENT_MS = 3_500;
/** Figures are kept this fine for this long, then this coarse for that long, in ms. */
export const TRAFFIC_FINE_MS = 200;
export const TRAFFIC_FINE_KEEP_MS = 30_000;
export const TRAFFIC_COARSE_MS = 10_000;
export const TRAFFIC_COARSE_KEEP_MS = 900_000;
/** The rate of requests of an app is taken over this long, in ms. */
export const TRAFFIC_RATE_MS = 5_000;
/** All ingresses, where none is heard for this long, are told as a problem, in ms. */
export const AROUND_SILENT_MS = 5_000;
/** A tower that a conductor or a node has not heard for this long is; a node names so many. */
export const TOWER_UNHEARD_MS = 3_000;
export const UNHEARD_TOWERS = 4;
/** A command that was refused this lately is told as a problem, in ms; how many at most. */
export const REFUSED_LATELY_MS = 5 * 60_000;
export const REFUSED_LATELY = 5;
/** Most nodes that one `lost` names. */
export const LOST_NODES = 20_000;
/** A node that the tower has heard within this time is not lost, whoever says so, in ms. */
export const LOST_SILENCE_MS = 1_000;
/**
 * What is under way on a replica whose node is lost and may not be tried again has this long to
 * show that it goes on, in ms.
 */
export const LOST_GRACE_MS = 1_000;
/** Requests held until an app that sleeps is awake: how many, how many of one app, bytes, ms. */
export const HELD_REQUESTS = 2_000;
export const HELD_APP_REQUESTS = 500;
export const HELD_BYTES = 32 * 1024 * 1024;
export const HELD_MS = 30_000;
/**
 * An app that answered within the last `RECENT_ANSWER_MS` and has no replica left that takes a
 * connection is likely being started again: what may be sent again is held for it this long, in ms.
 */
export const RECOVER_MS = 2_000;
export const RECENT_ANSWER_MS = 5_000;
/** How often an ingress that holds requests asks again for their app, in ms. */
export const WAKE_AGAIN_MS = 1_000;
/**
 * Where no conductor leads, a node wakes what fell asleep there: of so many apps at most, told to the
 * tower in one datagram; after so long without the answer of one that leads, ms; and another node is
 * asked after so long, ms.
 */
export const SLEEPERS = 32;
export const UNLED_MS = 3_000;
/**
 * A node that no conductor has answered for so long follows the log anew when one does, ms: whoever
 * was cut off may have been given up meanwhile, and its own end of the stream stand for ever.
 */
export const FOLLOW_ANEW_MS = 15_000;
/** So does one that waits this long for a record that it has been ordered to run by, ms. */
export const FOLLOW_STUCK_MS = 5_000;
export const WAKE_ELSEWHERE_MS = 8_000;
/** First wait before the ingress dials a tower again, doubling to the max. */
export const WATCH_RETRY_MIN_MS = 50;
export const WATCH_RETRY_MAX_MS = 1_000;

// ---- node ----

/**
 * The first probe of a process; while the connection is refused the next wait is as long as the
 * process is old, at most `PROBE_MIN_MS`, for `REFUSED_QUICK_MS`, in ms.
 */
export const PROBE_FIRST_MS = 5;
export const REFUSED_QUICK_MS = 1_000;
/** A machine that is woken this much later than it asked has been stopped or starved, in ms. */
export const NODE_LATE_MS = 500;
/** A replica that found no port, or whose state could not be written, tries again after this, ms. */
export const BLOCKED_RETRY_MS = 1_000;
/** SIGKILL is sent again after this, should the process still be there, in ms. */
export const KILL_AGAIN_MS = 1_000;
/** Most ports of the range tried in a row before a replica waits. */
export const PORT_TRIES = 64;
/** A port that an app gave back is handed to another only after this, where others are free, ms. */
export const PORT_REST_MS = 60_000;
/** Most replica ids a node remembers as finished beyond those it still lists. */
export const NODE_TOMBSTONES = 100_000;
/** Signed manifests of one app that a node holds in memory, newest last. */
export const NODE_RECORDS = GENERATIONS;
/** Requests for streams that a node remembers from the log; how long it waits for one, in ms. */
export const NODE_OPENED = 1_000;
export const NODE_OPEN_MS = 2_000;
/** Signed requests that a node does within a minute, and remembers so that it does none twice. */
export const DONE_MARKS = 2_000;
/** Streams to replicas of one node at once, and those that one conductor carries. */
export const NODE_STREAMS = 64;
export const CONDUCTOR_STREAMS = 256;
/** How long a stream's request may take to come, and its other end to be reached, in ms. */
export const STREAM_REQUEST_MS = 5_000;
export const STREAM_DIAL_MS = 10_000;
/** Longest command line or path of a stream, in characters. */
export const STREAM_LINE_CHARACTERS = 4_096;
/** Bytes on their way on one channel of a stream; largest part of them in one frame. */
export const STREAM_WINDOW_BYTES = 256 * 1024;
export const STREAM_PART_BYTES = 32_768;
/** Connections through one port that is forwarded. */
export const STREAM_CHANNELS = 64;
/** What the conductor holds of a stream for a side that does not read, in bytes: then it ends it. */
export const STREAM_RELAY_BYTES = (STREAM_CHANNELS + 2) * STREAM_WINDOW_BYTES;
/** How often the CLI asks whether the node is still there, and how long it may be silent, in ms. */
export const STREAM_PING_MS = 10_000;
export const STREAM_SILENT_MS = 30_000;
/** A stream on which nothing was sent for this long is ended, in ms. */
export const STREAM_IDLE_MS = 4 * 3_600_000;
/** Between SIGHUP and SIGKILL for what a stream that ended has left, in ms. */
export const STREAM_GRACE_MS = 1_000;
/** A record's time may lie so far before that of one before it in the log, in s. */
export const NODE_BACKDATE_S = 600;
/** Refused records whose reason a node remembers. */
export const NODE_REFUSALS = 1_000;
/** Registrations on their way to the tower at once before they become one whole. */
export const REGISTER_REQUESTS = 32;
/** Largest JSON form of an exit's last lines, and of a reason, in a status datagram, in bytes. */
export const STATUS_TAIL_BYTES = 392;
export const STATUS_REASON_BYTES = 240;
/** How often the health worker is asked whether it lives, and how long it may take twice, in ms. */
export const HEALTH_PING_MS = 1_000;
export const HEALTH_HUNG_MS = 3_000;
/** The same before its first answer: it is being loaded, perhaps by a starved machine, in ms. */
export const HEALTH_START_MS = 30_000;
/** A probe that has no verdict this long after its own timeout counts as unknown, in ms. */
export const PROBE_GRACE_MS = 1_000;
/** Most of an answer that a GET probe reads before it hangs up, in bytes. */
export const PROBE_BYTES = 65_536;
/** How often the node asks its helper for CPU and RAM, in ms. */
export const SAMPLE_MS = 1_000;
/** Longest that the helper may be at one question, in ms. */
export const HELPER_ANSWER_MS = 5_000;
/**
 * A replica whose memory is watched is ended as out of memory after so many samples in a row above
 * its `ram`, and at once by SIGKILL above so many times of it. Samples are taken every
 * `MEMORY_NEAR_MS` while one uses more than this share of its `ram`, else every `SAMPLE_MS`.
 */
export const MEMORY_SAMPLES = 3;
export const MEMORY_BURST = 2;
export const MEMORY_NEAR = 0.8;
export const MEMORY_NEAR_MS = 200;
/**
 * Autoscaling by CPU: a replica's use is that of the last `AUTOSCALE_WINDOW_MS`, judged every
 * `SAMPLE_MS`; so many judgements in a row make a wish.
 */
export const AUTOSCALE_WINDOW_MS = 3_000;
export const AUTOSCALE_SAMPLES = 3;
/** A node tells its wishes in every fourth of its beats, so many apps in one datagram. */
export const WISHES_BEATS = 4;
export const WISHES_PAGE = 8;
/** What a node wished counts for so many of such intervals, and never less than this, in ms. */
export const WISHES_STALE = 3;
export const WISHES_STALE_MIN_MS = 5_000;
/** How often the conductor looks whether apps need another number of replicas, in ms. */
export const AUTOSCALE_MS = 500;
/** One replica less only if the others would then be under this share of `rps-above`, `cpu-above`. */
export const AUTOSCALE_ROOM = 0.8;
/** A cgroup that is not empty yet is removed after this, in ms, doubling, so many times. */
export const CGROUP_WAIT_MS = 10;
export const CGROUP_TRIES = 8;
/** Log files are read at most this often, and at most so much at a time, in ms and bytes. */
export const LOG_READ_MS = 50;
export const LOG_READ_BYTES = 1024 * 1024;
/** How long the folder of a finished replica (its logs) is kept, and how many of them. */
export const FINISHED_KEEP_MS = 24 * 3_600_000;
export const FINISHED_KEEP = 200;
/** Output of one v1 EXEC, in bytes, and how long it may take, in ms. */
export const EXEC_OUTPUT_BYTES = 12_288;
export const EXEC_MS = 10_000;
/** A program that could be executed so long ago is not looked at again for another replica, in ms. */
export const PROGRAM_FRESH_MS = 10_000;
/** Adopted launchers whose lock is awaited by a thread each; further ones are polled. */
export const LOCK_WAITERS = 256;
export const LOCK_POLL_MS = 100;
/** Streams that one HTTP/2 session may have open, and how many it may reset before it is ended. */
export const HTTP2_STREAMS = 128;
export const HTTP2_RESETS = 500;
/** Bytes that one HTTP/2 session may have sent and nobody taken; and a field block's, coded. */
export const HTTP2_WINDOW_BYTES = 262_144;
export const HTTP2_BLOCK_BYTES = 32_768;
/** Frames without content (PING, SETTINGS, empty DATA and so on) in so many ms. */
export const HTTP2_NOISE = 2_000;
export const HTTP2_NOISE_MS = 10_000;
/** Bytes that may wait for an HTTP/2 peer that does not read, beside content. */
export const HTTP2_OUT_BYTES = 1_048_576;
/** First wait before a certificate is asked for again after a failure, doubling to the max. */
export const ACME_RETRY_MIN_MS = 1_000;
export const ACME_RETRY_MAX_MS = 25_000;
/** An ACME server is given up when it has not answered a request for this long, in ms. */
export const ACME_ANSWER_MS = 10_000;
/** Whoever holds the lock of an order says so this often; after that long without it has died, ms. */
export const ACME_LOCK_BEAT_MS = 3_000;
export const ACME_LOCK_MS = 15_000;

/** The deck: how often its charts get a point, ms; how many points are kept (15 minutes of them). */
export const DECK_SAMPLE_MS = 2_000;
export const DECK_SAMPLES = 450;
/** Most nodes and apps that a sample of the deck has. */
export const DECK_SAMPLE_NODES = 1_024;
export const DECK_SAMPLE_APPS = 256;
export const DECK_SAMPLE_ROUTES = 256;
/** Small charts of all nodes show so many samples; a viewer is told every so-manyth of the past. */
export const DECK_SPARK_SAMPLES = 60;
export const DECK_SPARK_STEP = 4;
/** A status is told to the deck's viewers at most this often, ms. */
export const DECK_STATUS_MS = 500;
/** Most viewers of the deck at a time; a viewer that has so many messages to read yet is cut off. */
export const DECK_VIEWERS = 100;
export const DECK_BEHIND = 100;
/** How long a link that `skr8tr deck` made may be used, and a session of the deck lasts, ms. */
export const DECK_LINK_MS = 60_000;
export const DECK_SESSION_MS = 12 * 3_600_000;
/** Most sessions and unused links kept. */
export const DECK_SESSIONS = 1_000;
/**
 * Single sign-on: how long a session that an issuer vouched for lasts (who was thrown out of a group
 * there looks no longer than that), how long a sign-in may take, and most that are under way, ms.
 */
export const SSO_SESSION_MS = 3_600_000;
export const SSO_SIGN_IN_MS = 600_000;
export const SSO_SIGN_INS = 1_000;
/** An issuer that has not answered a request for this long does not, s. */
export const SSO_ANSWER_S = 5;
/** People who have signed in and wait for the log to say so. */
export const VISITS_WAITING = 100;

/** The telemetry sink: how often nodes that are not followed are looked for, and what came is written, ms. */
export const TELEMETRY_AGAIN_MS = 1_000;
/** A node that cannot be followed again and again is tried the less often, at least this often, in ms. */
export const TELEMETRY_AGAIN_MAX_MS = 60_000;
export const TELEMETRY_WRITE_MS = 250;
/** How often load and traffic are noted, ms, and how many of these notes are kept (a day of them). */
export const TELEMETRY_SAMPLE_MS = 10_000;
export const TELEMETRY_SAMPLES = 8_640;
/** Of so many nodes at most. */
export const TELEMETRY_SAMPLE_NODES = 256;
/** Most lines that wait to be written; and most nodes whose logs are followed. */
export const TELEMETRY_PENDING = 50_000;
export const TELEMETRY_NODES = 500;
/** Replicas of which it is known up to where their lines were gathered: the last to have written. */
export const TELEMETRY_CURSORS = 20_000;
/** Lines of each replica that a node tells to whoever begins to follow all of its logs. */
export const TELEMETRY_PAST_LINES = 500;

/** Spans of traces, as log lines tell of them: most that are kept, and of one trace. */
export const SPANS_KEPT = 20_000;
export const TRACE_SPANS = 500;
/** So many of each minute's traces, the slowest, are kept for longer than others. */
export const TRACE_SLOWEST = 10;
/** Apps whose answers are counted over time, in how many spans of how many ms (15 minutes). */
export const SPAN_APPS = 256;
export const SPAN_SERIES = 90;
export const SPAN_SERIES_MS = 10_000;
/** A line's own time counts where it is so near to when its node read it, ms; longest span, ms. */
export const SPAN_CLOCK_MS = 60_000;
export const SPAN_MAX_MS = 3_600_000;
/** Longest name of a span, in characters; most spans that one line tells of. */
export const SPAN_NAME = 200;
export const SPAN_LINE = 100;
/** Most traces in one answer; and lines that a conductor that starts reads spans from. */
export const TRACES_SHOWN = 1_000;
export const SPANS_RECALLED = 5_000;

/** A store on NATS: how long a request may take, and for how long one is repeated while no server takes it, ms. */
export const NATS_TIMEOUT_MS = 2_000;
export const NATS_PATIENCE_MS = 15_000;
/** The same for the lease, which is of no use late, ms. */
export const NATS_LEASE_TIMEOUT_MS = 800;
/** How often a server is asked whether it still is there; two silences, and another is gone to, ms. */
export const NATS_PING_MS = 1_000;
/** Characters of one message: with quoting they are less than the 1 MiB that servers take. */
export const NATS_PART_CHARACTERS = 250_000;
/** So many of the last entries a conductor could write again, and of so many characters together. */
export const RECENT_ENTRIES = 200;
export const RECENT_ENTRIES_CHARACTERS = 8_000_000;

/**
 * For how long a lease of the conductors holds after it was written, how much earlier its holder
 * stops, how often it is written anew, and how often the others look, ms.
 */
export const LEAD_MS = 1_800;
export const LEAD_MARGIN_MS = 200;
export const LEAD_RENEW_MS = 400;
export const LEAD_LOOK_MS = 200;
/** How often a conductor looks for artifacts that others have and it has not, ms. */
export const ARTIFACT_COPY_MS = 1_000;
/**
 * Of what was announced within this time the newest few are copied before an app names them, ms; each
 * is asked for this often until it is there, ms.
 */
export const ARTIFACT_RECENT_MS = 600_000;
export const ARTIFACT_RECENT = 16;
export const ARTIFACT_RECENT_LOOK_MS = 200;
/** A standby says this often what it has, and counts for so long, ms; of so many artifacts at most. */
export const STANDBY_REPORT_MS = 500;
export const STANDBY_REPORT_LEASE_MS = 3_000;
export const STANDBY_REPORT_ARTIFACTS = 20_000;
/** Most conductors beside one that leads. */
export const STANDBYS = 15;
/** An ingress leaves a tower, of several, that has been silent for this long, ms. */
export const WATCH_SILENT_MS = 1_500;
/** It begins its stream to a single one anew after such a silence, ms. */
export const WATCH_SILENT_ALONE_MS = 3_000;
/** A conductor does, which asks a tower this often to say that it is there, ms. */
export const WATCH_SILENT_ASKED_MS = 2_000;
export const WATCH_ASK_MS = 500;
/** The same of a program that watches. */
export const WATCH_SILENT_PROGRAM_MS = 12_000;
export const WATCH_ASK_PROGRAM_MS = 5_000;
/** For so long a stream to a tower may take to come about, and its first message to come, ms. */
export const WATCH_CALL_MS = 3_000;
export const WATCH_FIRST_MS = 10_000;
/** A watcher that was woken so much too late was not running: it leaves no tower for a while, ms. */
export const WATCH_LATE_MS = 250;
export const WATCH_GRACE_MS = 1_000;
/**
 * A tower, of several, that has not answered a node for this long is not waited for, ms: by then its
 * ingresses have left it, though the node may have heard it last a lease (`LEASE_RENEW_MS`) earlier.
 */
export const TOWER_SILENT_MS = 2_500;
/**
 * What one of several towers said of a drain counts for so long, ms, and what it takes back does for
 * as long after the last word of that: an ingress that leaves one for another has told the other
 * meanwhile what it is at work on.
 */
export const DRAINED_FRESH_MS = 500;
/** Until then its lease is repeated this often, ms: loss alone must not make a tower silent. */
export const LEASE_AGAIN_MS = 100;
/** Beats of which a node remembers when it sent them: orders count from one of them. */
export const BEATS_REMEMBERED = 64;
/** For how long an answer of the store is waited for at the end, ms. */
export const LEAD_PATIENCE_MS = 500;

/** Values that log lines tell of: kept in so many spans of so many ms (15 minutes). */
export const METRIC_SPANS = 60;
export const METRIC_MS = 15_000;
/** Most that are kept, counted by replica and name: of all apps, and of one. */
export const METRIC_SERIES = 4_096;
export const METRIC_APP_SERIES = 1_024;
/** Most in one answer. */
export const METRICS_SHOWN = 120;
/** Most of one line; and longest name and unit, in characters. */
export const METRIC_LINE = 200;
export const METRIC_NAME = 200;
export const METRIC_UNIT = 20;
