import type { Context } from "hono";
import { type Handler, type LoopSettings, startLoop } from "../../kit/jobs/loop.ts";
import type { JobQueue } from "../../kit/jobs/queue.ts";
import {
  DEAD_JOBS_SHOWN,
  ID_MAX,
  JOB_BYTES,
  JOB_SWEEP_MS,
  REBUILD_EVERY_MS,
  REORDER_EVERY_MS,
} from "../../kit/limits.ts";
import type { Identity, Module, Products } from "../../kit/modules.ts";
import { UUID } from "../../kit/people.ts";
import { notFound, Problem } from "../../kit/problem.ts";
import { pathInteger, pathText, readBody } from "../../kit/request.ts";
import { createSessionReader, staffOnly } from "../../kit/session.ts";
import { type Check, oneOf, shape, text } from "../../kit/validate.ts";
import type { Documents } from "./documents.ts";
import { invoiceName, KINDS_FROM_OUTSIDE, pictureName } from "./jobs.ts";
import { FORMATS, WIDTHS } from "./pictures.ts";

const KEY = text({ max: 100, pattern: /^[\w:-]+$/, meaning: "letters, digits and : _ -" });
const PAYLOAD: Check<unknown> = (value, field) => {
  const bytes = new TextEncoder().encode(JSON.stringify(value)).length;
  if (bytes <= JOB_BYTES) return value;
  throw new Problem(413, field, `${field} has ${bytes} bytes; at most ${JOB_BYTES} are kept`);
};
const JOB = shape({ kind: oneOf(KINDS_FROM_OUTSIDE), key: KEY, payload: PAYLOAD });
const REVIVE = shape({ key: KEY });
const PICTURE = new RegExp(`^(${WIDTHS.join("|")})\\.(${FORMATS.join("|")})$`);

/** How often a worker sees to what nobody asks for, ms. */
export interface Regularly {
  readonly reorderMs: number;
  readonly rebuildMs: number;
}

export const REGULARLY: Regularly = {
  reorderMs: REORDER_EVERY_MS,
  rebuildMs: REBUILD_EVERY_MS,
};

export interface WorkerNeeds {
  readonly queue: JobQueue;
  readonly documents: Documents;
  readonly handlers: (
    note: (event: string, more: Record<string, unknown>) => void,
  ) => Readonly<Record<string, Handler>>;
  readonly loop: LoopSettings;
  readonly every: Regularly;
  readonly identity: Identity;
  readonly products: Products;
  now(): number;
}

/** Jobs: taken from the market's own programs, done in the background; and what they made. */
export function createWorker(needs: WorkerNeeds): Module<null> {
  const { queue, documents, now } = needs;
  const signedIn = createSessionReader(needs.identity, now);
  const staff = staffOnly(signedIn);
  const routes: Module<null>["routes"] = (kit, ownServicesOnly) => {
    const { app, note, metrics, measure, onClose } = kit;
    const heard = (event: string, more: Record<string, unknown>) => {
      note(event, more);
      if (event !== "job") return;
      if (more.failed === undefined) metrics.count("market_jobs_done_total", "Jobs done.");
      else metrics.count("market_job_failures_total", "Tries of jobs that failed.");
    };
    const loop = startLoop(queue, needs.handlers(note), needs.loop, heard);
    const add = async (kind: string, key: string, payload: unknown) => {
      const fresh = await queue.add(kind, key, payload);
      loop.wake();
      return fresh;
    };
    const regularly = (everyMs: number, what: () => Promise<unknown>) => {
      const run = () => what().catch((error) => note("queue-trouble", { error: String(error) }));
      const timer = setInterval(run, everyMs);
      onClose(() => clearInterval(timer));
    };
    // Every replica says so; the key lets it be done once.
    const tick = (kind: string, everyMs: number) =>
      regularly(everyMs, () => add(kind, `${kind}-${Math.floor(now() / everyMs)}`, null));
    tick("reorder", needs.every.reorderMs);
    tick("rebuild", needs.every.rebuildMs);
    regularly(JOB_SWEEP_MS, () => queue.sweep());
    onClose(() => loop.stop());
    measure(async () => {
      const { waiting, running, dead } = await queue.counts();
      const unit = "{job}";
      return {
        "jobs.waiting": { value: waiting, unit },
        "jobs.running": { value: running, unit },
        "jobs.dead": { value: dead, unit },
      };
    });

    app.post("/jobs", async (c) => {
      await ownServicesOnly(c);
      const { kind, key, payload } = await readBody(c, JOB);
      return c.json({ key, queued: await add(kind, key, payload) }, 202);
    });
    app.get("/jobs", async (c) => {
      await staff(c);
      return c.json({ ...await queue.counts(), dead_jobs: await queue.dead(DEAD_JOBS_SHOWN) });
    });
    app.post("/jobs/revive", async (c) => {
      await staff(c);
      const { key } = await readBody(c, REVIVE);
      if (!await queue.revive(key)) throw notFound("key", "no dead job has this key");
      loop.wake();
      return c.json({ key });
    });
    app.get("/invoices/:order", async (c) => {
      const { id, role } = await signedIn(c);
      const found = await documents.find(invoiceName(pathText(c, "order", UUID)));
      if (!found) throw notFound("order", "there is no invoice of this order, or not yet");
      if (found.owner !== id && role !== "staff") {
        throw new Problem(403, "order", "this is not your order");
      }
      return send(c, "application/pdf", found.bytes, "private, no-store");
    });
    app.get("/pictures/:product_id/:file", async (c) => {
      const product = pathInteger(c, "product_id");
      const file = pathText(c, "file", PICTURE);
      const found = await documents.find(pictureName(product, file));
      const type = `image/${file.split(".")[1]}`;
      if (found) return send(c, type, found.bytes, "public, max-age=86400");
      if (product > ID_MAX || !(await needs.products.some([product])).has(product)) {
        throw notFound("product_id", `there is no product ${product}`);
      }
      await add("pictures", `pictures:${product}`, { product_id: product });
      c.header("retry-after", "1");
      return c.json({ pending: true }, 202);
    });
  };
  return { api: null, routes };
}

function send(c: Context, type: string, bytes: Uint8Array<ArrayBuffer>, cache: string) {
  c.header("content-type", type);
  c.header("cache-control", cache);
  return c.body(bytes);
}
