// The five programs without the orchestrator: the package is clean, and what it installs is a shop
// behind the ingress with fixed routes, whose settings are files that hold from a restart on.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Shopper } from "../../bench/shopping.ts";
import { FIVE } from "../../market/launch.ts";
import { gatewaySettings, marketDeb } from "../../market/five/deb.ts";
import { until } from "./cluster_process.ts";
import { ROOT } from "./documents.ts";

async function run(program: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, text: decode(stdout) + decode(stderr) };
}

async function isThere(program: string): Promise<boolean> {
  return (await run("sh", "-c", `command -v ${program}`)).code === 0;
}

const HOST = "127.0.35.1";
const WAIT_MS = 30_000;

/** Variables of an environment file, as systemd reads it. */
function settingsIn(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").filter((line) => /^[A-Z]/.test(line)).map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/** Starts what a unit starts, with the environment that it gives. */
function startUnit(system: string, program: string, state: string): Deno.ChildProcess {
  const unit = Deno.readTextFileSync(
    `${system}/usr/lib/systemd/system/skr8tr-market-${program}.service`,
  );
  const of = (key: string) => new RegExp(`^${key}=-?(.*)$`, "m").exec(unit)![1]!;
  return new Deno.Command(`${system}${of("ExecStart")}`, {
    cwd: `${system}${of("WorkingDirectory")}`,
    clearEnv: true,
    env: {
      PATH: "/usr/bin:/bin",
      APP: program,
      HOME: state,
      DATA_DIR: `${state}/${program}`,
      ...settingsIn(Deno.readTextFileSync(`${system}${of("EnvironmentFile")}`)),
    },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

Deno.test("the market's package is clean, and the shop it installs needs no orchestrator", async () => {
  for (const tool of ["dpkg-deb", "lintian", "systemd-sysusers"]) {
    if (!await isThere(tool)) return console.log(`not run: ${tool} is not installed`);
  }
  if (Deno.uid() !== 0) return console.log("not run: dpkg needs root");
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-market-deb-test-" });
  const running = new Map<string, Deno.ChildProcess>();
  try {
    const files: string[] = [];
    await marketDeb(ROOT, folder, (file) => files.push(file));
    const lint = await run("lintian", "--allow-root", "--fail-on", "error,warning", ...files);
    assertEquals(lint.code, 0, lint.text);

    const system = `${folder}/system`;
    for (const path of ["updates", "info", "triggers"]) {
      await Deno.mkdir(`${system}/var/lib/dpkg/${path}`, { recursive: true });
    }
    await Deno.writeTextFile(`${system}/var/lib/dpkg/status`, "");
    await Deno.mkdir(`${system}/etc`);
    const dpkg = (...words: string[]) =>
      run("dpkg", `--root=${system}`, "--force-script-chrootless", "--force-depends", ...words);
    const installed = await dpkg("--install", ...files);
    assertEquals(installed.code, 0, installed.text);
    const users = await Deno.readTextFile(`${system}/etc/passwd`);
    for (const program of FIVE) assertStringIncludes(users, `skr8tr-market-${program}:`);
    // skr8tr-runtime's part.
    await Deno.copyFile(Deno.execPath(), `${system}/usr/lib/skr8tr/deno`);
    await Deno.chmod(`${system}/usr/lib/skr8tr/deno`, 0o755);

    // Settings are files: all are moved to an address of this test's own.
    const conf = (program: string) => `${system}/etc/skr8tr-market/${program}.conf`;
    for (const program of FIVE) {
      const text = await Deno.readTextFile(conf(program));
      await Deno.writeTextFile(conf(program), text.replaceAll("127.0.0.1", HOST));
    }
    const start = (program: string) => {
      const state = `${folder}/state`;
      Deno.mkdirSync(`${state}/${program}`, { recursive: true });
      running.set(program, startUnit(system, program, state));
    };
    const stop = async (program: string) => {
      running.get(program)!.kill("SIGTERM");
      assertEquals((await running.get(program)!.status).code, 0);
      running.delete(program);
    };
    FIVE.forEach(start);
    const gateway = settingsIn(gatewaySettings()).SKR8TR_FLAGS!.replaceAll("127.0.0.1", HOST)
      .replace("--http=80", "--http=8080").split(" ");
    running.set(
      "ingress",
      new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--quiet", `--config=${ROOT}/deno.json`, `${ROOT}/ingress/main.ts`],
          ...["--bind", HOST, "--state", `${folder}/ingress`, "--admin", "8081", ...gateway],
        ],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn(),
    );
    const shop = { hostname: HOST, port: 8080 };
    const answers = (path: string) =>
      fetch(`http://${HOST}:8080${path}`).then(async (response) => {
        await response.body?.cancel();
        return response.status === 200;
      }, () => false);
    await until(WAIT_MS, "the shop answers", () => answers("/api/stock/1"));
    await until(WAIT_MS, "the front is there", () => answers("/"));
    await until(WAIT_MS, "accounts can be opened", () => answers("/api/keys"));
    const shopper = await Shopper.register(shop);
    await shopper.page(3);
    const order = await shopper.checkOut(await shopper.cart(3));
    assert(order);
    await until(
      WAIT_MS,
      "its invoice",
      async () => (await shopper.ask("GET", `/api/invoices/${order}`)).status === 200,
    );
    await until(WAIT_MS, "a picture", () => answers("/api/pictures/3/320.webp"));

    // The gateway has the manifests' rates: 20 sign-ins a second for each client.
    const burst = await Promise.all(Array.from({ length: 60 }, async () => {
      const { status, body } = await fetch(`http://${HOST}:8080/api/login`, { method: "POST" });
      await body?.cancel();
      return status;
    }));
    assert(burst.includes(400) && burst.includes(429), `sign-ins were answered ${burst}`);

    // A change of the settings is a file and a restart.
    for (const program of FIVE) {
      const text = await Deno.readTextFile(conf(program));
      await Deno.writeTextFile(
        conf(program),
        text.replaceAll(":8011", ":9011").replace("PORT=8011", "PORT=9011"),
      );
    }
    for (const program of FIVE) {
      await stop(program);
      start(program);
    }
    await until(
      WAIT_MS,
      "the identity provider is where it was put",
      () =>
        fetch(`http://${HOST}:9011/health`).then(
          async (response) => (await response.text()) === "ok",
          () => false,
        ),
    );
    await until(
      WAIT_MS,
      "the order is there",
      async () => (await shopper.ask("GET", `/api/orders/${order}`)).status === 200,
    );
    for (const program of [...FIVE]) await stop(program);

    const removed = await dpkg("--remove", "skr8tr-market");
    assertEquals(removed.code, 0, removed.text);
    const kept = [...Deno.readDirSync(`${system}/etc/skr8tr-market`)].map(({ name }) => name);
    assertEquals(kept.sort(), FIVE.map((program) => `${program}.conf`).sort());
    const purged = await dpkg("--purge", "skr8tr-market");
    assertEquals(purged.code, 0, purged.text);
    const left = await run(
      "sh",
      "-c",
      `cd ${system} && find . -path '*skr8tr*' ! -path '*/dpkg/*' ! -path './usr/lib/skr8tr*'`,
    );
    assertEquals(left.text, "");
  } finally {
    for (const child of running.values()) {
      child.kill("SIGKILL");
      await child.status;
    }
    await Deno.remove(folder, { recursive: true });
  }
});
