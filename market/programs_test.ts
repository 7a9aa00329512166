import { assert, assertEquals, assertMatch } from "@std/assert";
import { fixedName } from "./kit/directory.ts";
import { startSmtp } from "./five/testing_smtp.ts";
import { eventually } from "./kit/testing.ts";
import { eachStore, placeEnv } from "./kit/testing_stores.ts";
import { launch, manifestOf, type ProgramName, type Running, SHAPES } from "./launch.ts";
import { tokenIn } from "./testing_mail.ts";
import { ready, stop } from "./testing_programs.ts";

// Each program over real sockets, with exactly the permissions of its manifest.

for (const shape of ["nine", "five"] as const) {
  eachStore(
    `every one of the ${shape} starts, answers and stops with its manifest's permissions`,
    async (place) => {
      const urls: Record<string, string> = {};
      const started: Running[] = [];
      try {
        for (const service of SHAPES[shape]) {
          // A node always gives a volume's folder; with DATABASE_URL beside it nothing is kept there.
          const env = {
            DATA_DIR: "/tmp/market-unused",
            ...placeEnv(place),
            ...urls,
            SERVICE_TOKEN: "x",
          };
          const running = launch(service, { host: "127.0.0.1", port: 0, replica: "r1", env });
          started.push(running);
          urls[fixedName(service)] = await ready(running);
        }
        for (const [name, url] of Object.entries(urls)) {
          const metrics = await fetch(`${url}/metrics`);
          assertMatch(await metrics.text(), /^# HELP http_request_duration_seconds/, name);
          assertEquals(metrics.headers.get("x-replica"), "r1", name);
        }
        assertEquals(await Promise.all(started.map(stop)), started.map(() => 0));
      } finally {
        await Promise.all(started.map(stop));
      }
    },
  );
}

Deno.test({
  name: "user-svc sends a letter to a mail server with its manifest's permissions",
  // What nodemailer brings for servers keeps sockets for a while.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const folder = Deno.makeTempDirSync({ prefix: "market-" });
    const smtp = await startSmtp();
    const env = { DATA_DIR: folder, SMTP_URL: smtp.url };
    const running = launch("user-svc", { host: "127.0.0.1", port: 0, replica: "r1", env });
    try {
      const url = await ready(running);
      const post = async (path: string, body: object) => {
        const response = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
        await response.body?.cancel();
        return response.status;
      };
      const email = "ada@shop.test";
      const account = { email, name: "Ada Byron", password: "correct horse" };
      assertEquals(await post("/register", account), 201);
      assertEquals(await post("/forgot", { email }), 202);
      await eventually("the mail has come", () => smtp.mails.length > 0);
      assert(tokenIn(smtp.mails[0]!.raw), "without SHOP_URL it has the code");
    } finally {
      assertEquals(await stop(running), 0);
      await smtp.stop();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("a program may do nothing beyond its manifest's permissions", async () => {
  const attempts: [ProgramName, string, string][] = [
    ["product-svc", "read", 'Deno.readTextFileSync("/etc/passwd")'],
    ["product-svc", "write", 'Deno.writeTextFileSync("/tmp/market-probe", "x")'],
    ["product-svc", "net", 'await fetch("http://127.0.0.2:8080")'],
    ["product-svc", "env", 'Deno.env.get("SESSION_SECRET")'],
    ["product-svc", "run", 'new Deno.Command("true").outputSync()'],
    ["user-svc", "read", 'Deno.readTextFileSync("/etc/passwd")'],
    ["user-svc", "write", 'Deno.writeTextFileSync("/tmp/market-probe", "x")'],
    ["user-svc", "net", 'await fetch("http://192.0.2.1")'],
    ["user-svc", "env", 'Deno.env.get("SERVICE_TOKEN")'],
    ["order-svc", "run", 'new Deno.Command("true").outputSync()'],
    ["frontend-svc", "read", 'Deno.readTextFileSync("deno.json")'],
    ["core-api", "read", 'Deno.readTextFileSync("/etc/passwd")'],
    ["core-api", "run", 'new Deno.Command("true").outputSync()'],
    ["identity-provider", "net", 'await fetch("http://192.0.2.1")'],
    ["async-worker", "read", 'Deno.readTextFileSync("/etc/passwd")'],
    ["async-worker", "ffi", 'Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {})'],
    ["async-worker", "write", 'Deno.writeTextFileSync("/tmp/market-probe", "x")'],
    ["async-worker", "run", 'new Deno.Command("true").outputSync()'],
    ["async-worker", "net", 'await fetch("http://192.0.2.1")'],
    ["telemetry-sink", "env", 'Deno.env.get("SERVICE_TOKEN")'],
  ];
  for (const [service, what, code] of attempts) {
    const flags = manifestOf(service).args.join(" ").match(/--allow-\S+/g) ?? [];
    assert(flags.length > 0);
    const { success, stderr } = await runWith(flags.map(literal), code);
    assert(!success, `${service} may ${what}`);
    assertMatch(stderr, /NotCapable/, `${service}: ${what}`);
  }
});

/** A flag with its placeholders filled in. */
function literal(flag: string): string {
  return flag.replace("${IP}", "127.0.0.1").replace("${PORT}", "8001")
    .replace('"$DATA_DIR"', "/tmp/market-none")
    .replace(/"\$+\{?DENO_DIR[^"]*"/, "/tmp/market-cache");
}

async function runWith(flags: readonly string[], code: string) {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, `data:text/javascript,${encodeURIComponent(code)}`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return { success, stderr: new TextDecoder().decode(stderr) };
}
