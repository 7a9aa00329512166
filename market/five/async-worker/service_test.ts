import { assert, assertEquals, assertMatch } from "@std/assert";
import { PDFDocument } from "pdf-lib";
import { JOB_BYTES } from "../../kit/limits.ts";
import { eventually } from "../../kit/testing.ts";
import { ADDRESS, startMarket, type TestMarket } from "../../testing_market.ts";
import { startSmtp, type TestSmtp } from "../testing_smtp.ts";

const STAFF = { STAFF_EMAIL: "boss@shop.test", STAFF_PASSWORD: "a long sentence" };

async function withWorker(test: (market: TestMarket, smtp: TestSmtp) => Promise<void>) {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const smtp = await startSmtp();
  const env = { SMTP_URL: smtp.url, ...STAFF };
  const market = await startMarket({ folder }, env, "five");
  try {
    await test(market, smtp);
  } finally {
    await market.close();
    await smtp.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

// nodemailer's pool and sharp keep timers and threads of their own.
const LOOSE = { sanitizeOps: false, sanitizeResources: false };

async function order(market: TestMarket, session: string, items = 1) {
  const { status, body } = await market.ask("order-svc", "POST /orders", {
    session,
    json: {
      // Every 23rd is not carried.
      items: Array.from({ length: items }, (_, at) => ({
        product_id: at + 1 + Math.floor(at / 22),
        quantity: 1,
      })),
      shipping_address: { ...ADDRESS, name: "Åsa Łukasiewicz" },
    },
  });
  assertEquals(status, 201, JSON.stringify(body));
  return body;
}

const worker = (market: TestMarket, request: string, given = {}) =>
  market.askProgram("async-worker", request, given);

async function staff(market: TestMarket): Promise<string> {
  const json = { email: STAFF.STAFF_EMAIL, password: STAFF.STAFF_PASSWORD };
  return (await market.ask("user-svc", "POST /login", { json })).body.session;
}

Deno.test(
  { name: "an order is confirmed by one mail with its invoice", ...LOOSE },
  () =>
    withWorker(async (market, smtp) => {
      const buyer = await market.register();
      const placed = await order(market, buyer.session, 40);
      await eventually("the mail has come", () => smtp.mails.length > 0);
      const [mail] = smtp.mails;
      assertEquals(mail!.to, [buyer.email]);
      assertEquals(mail!.id, `<order-confirmed.${placed.id}@sovereign-market.invalid>`);
      assertMatch(mail!.raw, /^Content-Type: application\/pdf/m);
      const read = (session?: string) => {
        const headers: HeadersInit = session ? { authorization: `Bearer ${session}` } : {};
        const url = `http://shop.test/api/invoices/${placed.id}`;
        return market.services["async-worker"].fetch(new Request(url, { headers }));
      };
      const eve = await market.register("Eve Other");
      assertEquals((await read()).status, 401);
      assertEquals((await read(eve.session)).status, 403);
      assertEquals((await read(await staff(market))).status, 200);
      const answer = await read(buyer.session);
      assertEquals(answer.headers.get("content-type"), "application/pdf");
      const pdf = await PDFDocument.load(await answer.arrayBuffer());
      assertEquals([pdf.getTitle(), pdf.getPageCount()], [`Invoice ${placed.id}`, 2]);
      // The mail is here before the worker has heard that it was taken.
      const session = await staff(market);
      await eventually("no job is left", async () => {
        const counts = (await worker(market, "GET /api/jobs", { session })).body;
        assertEquals(counts.dead, 0);
        return counts.waiting === 0 && counts.running === 0;
      });
      assertEquals(smtp.mails.length, 1);
    }),
);

Deno.test(
  { name: "without a mail server the confirmation is a file, and the log says where", ...LOOSE },
  async () => {
    const folder = Deno.makeTempDirSync({ prefix: "market-" });
    const market = await startMarket({ folder }, {}, "five");
    try {
      const buyer = await market.register();
      const { id } = await order(market, buyer.session);
      const file = `${folder}/outbox/order-confirmed.${id}@sovereign-market.invalid.eml`;
      const written = () =>
        market.lines("async-worker").find(({ event }) => event === "mail-written");
      await eventually("it is written", () => written() !== undefined);
      const { to, why } = written()!;
      assertEquals([written()!.file, to, why], [file, buyer.email, "SMTP_URL is not set"]);
      assertMatch(Deno.readTextFileSync(file), /^Subject: Your order /m);
    } finally {
      await market.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
);

Deno.test(
  { name: "orders wait for a worker that is away, and are then confirmed once", ...LOOSE },
  () =>
    withWorker(async (market, smtp) => {
      const buyer = await market.register();
      market.down.add("async-worker");
      const placed = [await order(market, buyer.session), await order(market, buyer.session)];
      market.down.delete("async-worker");
      market.advance(60_000);
      await eventually("both mails have come", () => smtp.mails.length >= 2);
      assertEquals(
        smtp.ids(),
        placed.map(({ id }) => `<order-confirmed.${id}@sovereign-market.invalid>`).sort(),
      );
      assertEquals(smtp.mails.length, 2);
    }),
);

Deno.test(
  { name: "pictures are made in every width and format when one is asked for", ...LOOSE },
  () =>
    withWorker(async (market) => {
      const ask = (path: string) =>
        market.services["async-worker"].fetch(new Request(`http://shop.test/api/pictures/${path}`));
      const first = await ask("17/320.webp");
      assertEquals([first.status, first.headers.get("retry-after")], [202, "1"]);
      await eventually("it is there", async () => (await ask("17/640.jpeg")).status === 200);
      for (
        const [file, magic] of [["160.webp", "RIFF"], ["320.avif", "ftypavif"], ["640.jpeg", "ÿØÿ"]]
      ) {
        const answer = await ask(`17/${file}`);
        const bytes = new Uint8Array(await answer.arrayBuffer());
        const head = new TextDecoder("latin1").decode(bytes.slice(0, 16));
        assertEquals(answer.headers.get("content-type"), `image/${file!.split(".")[1]}`);
        assert(head.includes(magic!), `${file} begins with ${head}`);
      }
      const refused: [path: string, status: number][] = [
        ["17/321.webp", 400],
        ["17/320.exe", 400],
        ["9999/320.webp", 404],
        ["x/320.webp", 400],
      ];
      for (const [path, status] of refused) assertEquals((await ask(path)).status, status, path);
    }),
);

Deno.test(
  { name: "what has run low is ordered, once a turn", ...LOOSE },
  () =>
    withWorker(async (market) => {
      const stock = async (id: number) =>
        (await market.ask("inventory-svc", `GET /stock/${id}`)).body;
      const buyer = await market.register();
      const before = await stock(3);
      const rest = before.available - before.reorder_point;
      for (let left = rest; left > 0; left -= 99) {
        const { status } = await market.ask("order-svc", "POST /orders", {
          session: buyer.session,
          json: {
            items: [{ product_id: 3, quantity: Math.min(99, left) }],
            shipping_address: ADDRESS,
          },
        });
        assertEquals(status, 201);
      }
      assertEquals((await stock(3)).status, "low_stock");
      const { headers } = await proofOf(market);
      const reorder = (key: string) =>
        market.ask("inventory-svc", "POST /stock/reorder", { json: { key }, headers });
      const first = (await reorder("reorder-1")).body.ordered;
      assertEquals(
        (await reorder("reorder-1")).body.ordered,
        first,
        "the same turn orders nothing more",
      );
      assertEquals((await stock(3)).quantity, before.quantity + 100);
      assertEquals((await reorder("reorder-2")).body.ordered, []);
    }),
);

Deno.test(
  { name: "the worker orders what has run low, and makes the lists anew, by itself", ...LOOSE },
  async () => {
    const folder = Deno.makeTempDirSync({ prefix: "market-" });
    const every = { reorderMs: 50, rebuildMs: 50 };
    const market = await startMarket({ folder }, {}, "five", { every });
    try {
      const stock = async () => (await market.ask("inventory-svc", "GET /stock/3")).body;
      const buyer = await market.register();
      const before = await stock();
      for (let left = before.available - before.reorder_point; left > 0; left -= 99) {
        const items = [{ product_id: 3, quantity: Math.min(99, left) }];
        const json = { items, shipping_address: ADDRESS };
        const { session } = buyer;
        assertEquals(
          (await market.ask("order-svc", "POST /orders", { session, json })).status,
          201,
        );
      }
      await eventually("more has come", async () => (await stock()).quantity > before.quantity);
      await order(market, buyer.session, 2);
      const said = (event: string) =>
        market.lines("async-worker")
          .some((line) => line.event === event && Number(line.products) > 0);
      await eventually("both are said", () => said("reordered") && said("rebuilt"));
    } finally {
      await market.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
);

/** The worker's own proof, as it shows it to core-api. */
async function proofOf(market: TestMarket): Promise<{ headers: Record<string, string> }> {
  let token = "";
  market.instead.set("identity-provider", (request) => {
    token = request.headers.get("x-service-token") ?? token;
    return market.services["identity-provider"].fetch(request);
  });
  const buyer = await market.register("Tok En");
  await order(market, buyer.session);
  await eventually("the worker asks where to write to", () => token !== "");
  market.instead.clear();
  return { headers: { "x-service-token": token } };
}

Deno.test({
  name: "jobs: who may queue, look and revive; too large a payload is refused",
  ...LOOSE,
}, () =>
  withWorker(async (market) => {
    const buyer = await market.register();
    const boss = await staff(market);
    const json = { kind: "order-confirmed", key: "order-confirmed:1", payload: {} };
    const asked: [request: string, given: object, status: number, field: string][] = [
      ["POST /api/jobs", { json }, 401, "x-service-token"],
      ["POST /api/jobs", { json, headers: { "x-service-token": "x" } }, 403, "x-service-token"],
      ["POST /api/jobs", { json, headers: { "x-forwarded-for": "203.0.113.1" } }, 404, "path"],
      ["GET /api/jobs", {}, 401, "session"],
      ["GET /api/jobs", { session: buyer.session }, 403, "session"],
      ["POST /api/jobs/revive", { session: buyer.session, json: { key: "x" } }, 403, "session"],
      ["POST /api/jobs/revive", { session: boss, json: { key: "x" } }, 404, "key"],
    ];
    for (const [request, given, status, field] of asked) {
      const answer = await worker(market, request, given);
      assertEquals([answer.status, answer.body.field], [status, field], request);
    }
    const token = await coreToken(market);
    const post = (json: object) =>
      worker(market, "POST /api/jobs", { json, headers: { "x-service-token": token } });
    const large = await post({ ...json, payload: { text: "x".repeat(JOB_BYTES) } });
    assertEquals([large.status, large.body.field], [413, "payload"]);
    assertEquals((await post({ ...json, kind: "rm -rf" })).body.field, "kind");
    assertEquals((await post({ ...json, key: "a b" })).body.field, "key");
    // A payload that is no order can only fail; it is tried, not lost, and harms nobody.
    assertEquals((await post(json)).status, 202);
    const order_ = await order(market, buyer.session);
    await eventually("others go on", async () => {
      const { status } = await worker(market, `GET /api/invoices/${order_.id}`, {
        session: buyer.session,
      });
      return status === 200;
    });
  }));

/** The token by which core-api hands jobs over. */
async function coreToken(market: TestMarket): Promise<string> {
  let token = "";
  market.instead.set("async-worker", (request) => {
    token = request.headers.get("x-service-token") ?? token;
    return market.services["async-worker"].fetch(request);
  });
  await order(market, (await market.register("Tok En")).session);
  await eventually("core-api hands an order over", () => token !== "");
  market.instead.clear();
  return token;
}

Deno.test({
  name: "sessions that are forged, expired or for somebody else open nothing of the five",
  ...LOOSE,
}, () =>
  withWorker(async (market) => {
    const buyer = await market.register();
    const [head, payload, signature] = buyer.session.split(".") as [string, string, string];
    const text = (part: string) => atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    const claims = JSON.parse(text(payload));
    const spoilt = (more: object) =>
      btoa(JSON.stringify({ ...claims, ...more })).replaceAll("=", "");
    const service = await coreToken(market);
    const tokens = {
      forged: `${head}.${payload}.${signature.slice(0, -6)}AAAAAA`,
      "made staff": `${head}.${spoilt({ role: "staff" })}.${signature}`,
      // Rightly signed, for other ears: by core-api, to prove itself to programs.
      "of another audience": service,
    };
    const open = async (session: string) => [
      (await market.ask("order-svc", `GET /orders/user/${buyer.id}`, { session })).status,
      (await market.ask("user-svc", `GET /profile/${buyer.id}`, { session })).status,
      (await worker(market, "GET /api/jobs", { session })).status,
      (await market.askProgram("telemetry-sink", "GET /api/telemetry/logs", { session })).status,
    ];
    assertEquals(await open(buyer.session), [200, 200, 403, 403]);
    for (const [name, token] of Object.entries(tokens)) {
      assertEquals(await open(token), [401, 401, 401, 401], name);
    }
    market.advance(8 * 24 * 3_600_000);
    assertEquals(await open(buyer.session), [401, 401, 401, 401], "expired");
  }));
