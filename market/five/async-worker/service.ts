import { openFromEnv } from "../../kit/database.ts";
import {
  identityOverHttp,
  productsOverHttp,
  recommendationsOverHttp,
  stockOverHttp,
} from "../../kit/over_http.ts";
import { noteTo, type Service, type Surroundings } from "../../kit/service.ts";
import { SECRETS_TABLE } from "../../kit/secrets.ts";
import { createServiceProof } from "../../kit/service_auth.ts";
import { directoryOf, serveModules, under } from "../../kit/wiring.ts";
import { createDocuments, DOCUMENT_TABLES, SENDING_TABLES } from "./documents.ts";
import { createHandlers } from "./jobs.ts";
import { LOOP_SETTINGS, type LoopSettings } from "./loop.ts";
import { createMailer, type Mailer } from "./mail.ts";
import { createWorker, REGULARLY, type Regularly } from "./module.ts";
import { createOutbox } from "./outbox.ts";
import { QUEUE_SETTINGS, type QueueSettings } from "./queue.ts";
import { createSqliteQueue, QUEUE_TABLES } from "./queue_sqlite.ts";

const NAME = "async-worker";
const CORE = "core-api";
const IDENTITY = "identity-provider";
const MIGRATIONS = [DOCUMENT_TABLES, QUEUE_TABLES, [SECRETS_TABLE], SENDING_TABLES];
const MAIL_FROM = "SovereignMarket <orders@sovereign-market.invalid>";

export interface WorkerOptions {
  readonly queue?: QueueSettings;
  readonly loop?: Partial<LoopSettings>;
  readonly every?: Partial<Regularly>;
}

/**
 * What can wait: confirmations by mail (`SMTP_URL`, `MAIL_FROM`; else as files in `DATA_DIR`),
 * invoices, pictures, reorders, the recommendations' lists. Jobs are kept in SQLite (`DATA_DIR`) or by pg-boss (`DATABASE_URL`).
 */
export async function createAsyncWorker(
  around: Surroundings,
  { queue: queueSettings = QUEUE_SETTINGS, loop = {}, every = {} }: WorkerOptions = {},
): Promise<Service> {
  const database = await openFromEnv(around.env, NAME, MIGRATIONS);
  const url = around.env("DATABASE_URL");
  // Imported only here: pg-boss takes longer to load than all the rest.
  const queue = url
    ? await (await import("./queue_postgres.ts"))
      .openPostgresQueue(url, noteTo(around), queueSettings)
    : createSqliteQueue(database, around.now, queueSettings);
  const directory = directoryOf(around, { apps: [CORE, IDENTITY] });
  const others = under(directory, "/api");
  const { keys, headers } = await createServiceProof(around, database, NAME);
  const identity = identityOverHttp(others, headers, around.now, IDENTITY);
  const products = productsOverHttp(others, CORE);
  const mailer = mailerOf(around);
  const documents = createDocuments(database);
  const worker = createWorker({
    queue,
    documents,
    identity,
    products,
    now: around.now,
    every: { ...REGULARLY, ...every },
    loop: { ...LOOP_SETTINGS, touchMs: queueSettings.leaseMs / 3, ...loop },
    handlers: (note) =>
      createHandlers({
        queue,
        documents,
        identity,
        products,
        stock: stockOverHttp(others, headers, CORE),
        recommendations: recommendationsOverHttp(others, headers, CORE),
        mailer,
        now: around.now,
        note,
      }),
  });
  const stores = {
    routes: ({ onClose }: { onClose(close: () => void | Promise<void>): void }) => {
      onClose(() => database.close());
      onClose(() => queue.close());
    },
  };
  // What is closed last is named first.
  return serveModules(around, directory, [stores, worker], {
    callers: [CORE],
    proof: { keys, headers },
    base: "/api",
  });
}

/** Mails go to `SMTP_URL`; without it they are kept as files; with neither server nor folder not. */
function mailerOf(around: Surroundings): Mailer | undefined {
  const from = around.env("MAIL_FROM") ?? MAIL_FROM;
  const smtp = around.env("SMTP_URL");
  if (smtp) return createMailer(smtp, from);
  const folder = around.env("DATA_DIR");
  if (!folder) return undefined;
  const note = noteTo(around);
  const why = "SMTP_URL is not set";
  return createOutbox(
    `${folder}/outbox`,
    from,
    (file, to) => note("mail-written", { file, to, why }),
  );
}
