import { openFromEnv } from "../../kit/database.ts";
import {
  identityOverHttp,
  productsOverHttp,
  recommendationsOverHttp,
  stockOverHttp,
} from "../../kit/over_http.ts";
import { LOOP_SETTINGS, type LoopSettings } from "../../kit/jobs/loop.ts";
import { QUEUE_SETTINGS, type QueueSettings } from "../../kit/jobs/queue.ts";
import { createSqlQueue, QUEUE_TABLES } from "../../kit/jobs/queue_sql.ts";
import { mailerFromEnv } from "../../kit/mail/sender.ts";
import { createSending, SENDING_TABLES } from "../../kit/mail/sending.ts";
import { noteTo, type Service, type Surroundings } from "../../kit/service.ts";
import { SECRETS_TABLE } from "../../kit/secrets.ts";
import { createServiceProof } from "../../kit/service_auth.ts";
import { directoryOf, serveModules, under } from "../../kit/wiring.ts";
import { createDocuments, DOCUMENT_TABLES } from "./documents.ts";
import { createHandlers } from "./jobs.ts";
import { createWorker, REGULARLY, type Regularly } from "./module.ts";

const NAME = "async-worker";
const CORE = "core-api";
const IDENTITY = "identity-provider";
const MIGRATIONS = [DOCUMENT_TABLES, QUEUE_TABLES, [SECRETS_TABLE], SENDING_TABLES];

export interface WorkerOptions {
  readonly queue?: QueueSettings;
  readonly loop?: Partial<LoopSettings>;
  readonly every?: Partial<Regularly>;
}

/**
 * What can wait: mails (`SMTP_URL`, `MAIL_FROM`, `SHOP_URL` for the links in them; else as files in
 * `DATA_DIR`), invoices, pictures, reorders, the recommendations' lists. Jobs are kept in SQLite
 * (`DATA_DIR`) or by pg-boss (`DATABASE_URL`).
 */
export async function createAsyncWorker(
  around: Surroundings,
  { queue: queueSettings = QUEUE_SETTINGS, loop = {}, every = {} }: WorkerOptions = {},
): Promise<Service> {
  const database = await openFromEnv(around.env, NAME, MIGRATIONS);
  const url = around.env("DATABASE_URL");
  // Imported only here: pg-boss takes longer to load than all the rest.
  const queue = url
    ? await (await import("../../kit/jobs/queue_postgres.ts"))
      .openPostgresQueue(url, noteTo(around), queueSettings)
    : createSqlQueue(database, around.now, queueSettings);
  const directory = directoryOf(around, { apps: [CORE, IDENTITY] });
  const others = under(directory, "/api");
  const { keys, headers } = await createServiceProof(around, database, NAME);
  const identity = identityOverHttp(others, headers, around.now, IDENTITY);
  const products = productsOverHttp(others, CORE);
  const mailer = mailerFromEnv(around);
  const documents = createDocuments(database);
  const sending = createSending(database);
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
        ...{ queue, documents, sending, identity, products, mailer },
        shop: around.env("SHOP_URL"),
        stock: stockOverHttp(others, headers, CORE),
        recommendations: recommendationsOverHttp(others, headers, CORE),
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
    callers: [CORE, IDENTITY],
    proof: { keys, headers },
    base: "/api",
  });
}
