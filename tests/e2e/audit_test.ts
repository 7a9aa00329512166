// The audit: what stands in it, what it survives, and that nobody changes it unseen.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { CHECKPOINT_ENTRIES } from "../../core/limits.ts";
import { EMPTY_HEAD, nextEntry } from "../../core/log.ts";
import type { AuditView } from "../../core/view.ts";
import { certify } from "../../ingress/live/testing_tls.ts";
import { parseSyslogTarget } from "../../conductor/live/syslog.ts";
import {
  HOST,
  id,
  keysOf,
  nextSecond,
  ROOT,
  signedBy,
  TrustCluster,
  until,
} from "./trust_cluster.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const TRUE = "  exec /bin/true\n  replicas 0";

async function skr8tr(cluster: TrustCluster, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `--config=${PROJECT}deno.json`, `${PROJECT}cli/main.ts`, ...args],
    cwd: cluster.folder,
    env: { NO_COLOR: "1", SKR8TR_CONDUCTOR: `${HOST}:${cluster.port}` },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), error: text(stderr) };
}

async function audit(cluster: TrustCluster, query = ""): Promise<AuditView[]> {
  const response = await fetch(`${cluster.url}/api/audit?limit=1000${query}`);
  return (await response.text()).split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

Deno.test("Audit: every accepted mutating command, join, key change and exec in the log; refusals beside it, counted per source beyond the first few", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  await cluster.startNode("one");
  const ann = keysOf(2);
  const key = ann.publicKey.toBase64();
  await cluster.command(`OPERATOR|${id()}|ann|viewer|*|*|-|${key}`);
  await cluster.up("web", "  exec /bin/sleep\n  args 600\n  grace 1s");
  await cluster.ready("web", 1);
  await nextSecond();
  assertStringIncludes(await cluster.command("EXEC|web|echo hi"), "OK|EXEC");
  assertStringIncludes(await cluster.up("web", TRUE, 2, ann), "UNAUTHORIZED");
  const forged = signedBy(keysOf(9), { verb: "DOWN", id: id(), app: "web" });
  for (let times = 0; times < 40; times++) {
    assertStringIncludes(await cluster.post(forged), "UNAUTHORIZED");
  }
  const views = await audit(cluster);
  const kinds = views.map(({ kind, verb, operator }) =>
    [kind, verb ?? "", operator ?? ""].join(" ")
  );
  const root = views.find((each) => each.verb === "APPLY")!.operator!;
  for (
    const wanted of [
      "roots  ",
      "joined  ",
      `command OPERATOR ${root}`,
      `command APPLY ${root}`,
      `command EXEC ${root}`,
      "refused  ann",
    ]
  ) assert(kinds.includes(wanted), `${wanted} is in ${kinds}`);
  assertStringIncludes(
    views.find((each) => each.operator === "ann")!.text,
    "ann is viewer, and this needs deployer",
  );
  const strangers = views.filter((each) => each.kind === "refused" && !each.operator);
  assertEquals(strangers.length, 5, "told one by one only so often");
  assertStringIncludes(strangers[0]!.text, "no authorised key made its signature");
  assertEquals((await audit(cluster, "&app=web")).map((each) => each.verb), ["APPLY", "EXEC"]);
  assertEquals((await audit(cluster, "&operator=ann")).length, 1);
  const said = await skr8tr(cluster, "audit", "--operator", "ann");
  assertStringIncludes(said.out, "ann is viewer");
  const json = await skr8tr(cluster, "audit", "--app", "web", "--json");
  assertEquals(json.out.trim().split("\n").map((line) => JSON.parse(line).verb), ["APPLY", "EXEC"]);
});

Deno.test("audit verify finds any changed, removed or reordered record and says which; checkpoints kept by nodes show a cut tail", async () => {
  await using cluster = new TrustCluster();
  Deno.writeFileSync(`${cluster.folder}/root.pub`, ROOT.publicKey);
  await cluster.startConductor();
  const node = await cluster.startNode("one");
  for (let app = 0; app < CHECKPOINT_ENTRIES; app++) await cluster.up(`app-${app}`, TRUE);
  const kept = `${cluster.folder}/one/checkpoints.jsonl`;
  await until("a checkpoint is kept", () => Deno.stat(kept).then(() => true, () => false));
  const at = `${HOST}:${node.udp.address.port}`;
  const whole = await skr8tr(cluster, "audit", "verify", "--pubkey", "root.pub", "--nodes", at);
  assertEquals(whole.code, 0, whole.out + whole.error);
  assertStringIncludes(whole.out, "signed commands: all as they were written");
  await cluster.stopConductor();

  const cases: [string, string, string][] = [
    [
      "changed",
      "UPDATE log SET body = replace(body, 'apply app-7 gen', 'apply app-8 gen')",
      " was changed",
    ],
    ["removed", "DELETE FROM log WHERE sequence = 20", "entry 21 follows entry 19: one is missing"],
    [
      "reordered",
      "UPDATE log SET sequence = -1 WHERE sequence = 30; " +
      "UPDATE log SET sequence = 30 WHERE sequence = 31; " +
      "UPDATE log SET sequence = 31 WHERE sequence = -1",
      "entry 30 does not follow entry 29",
    ],
    ["cut", "DELETE FROM log WHERE sequence > 50", "its end was cut off"],
    // Hashes made anew by whoever may write, too: the signature is not theirs.
    ["resigned", "", "its signature does not verify"],
  ];
  for (const [name, statement, says] of cases) {
    const folder = `${cluster.folder}/${name}`;
    await Deno.mkdir(folder);
    await Deno.copyFile(`${cluster.state}/log.db`, `${folder}/log.db`);
    const database = new DatabaseSync(`${folder}/log.db`);
    if (name === "resigned") rewrite(database);
    else database.exec(statement);
    database.close();
    const said = await skr8tr(
      cluster,
      ...["audit", "verify", "--state", name, "--pubkey", "root.pub", "--nodes", "./one"],
    );
    assertEquals(said.code, 1, name);
    assertStringIncludes(said.out, says, name);
  }
  const other = await skr8tr(
    cluster,
    "audit",
    "verify",
    "--state",
    "conductor",
    "--pubkey",
    "x.pub",
  );
  assertEquals(other.code, 1, "a key that is not there");
});

/** Changes one command, and makes all hashes after it anew. */
function rewrite(database: DatabaseSync): void {
  const rows = database.prepare("SELECT * FROM log ORDER BY sequence").all();
  let head = EMPTY_HEAD;
  for (const row of rows) {
    const body = JSON.parse(String(row.body));
    if (body.audit?.includes("apply app-20 gen")) {
      body.signed.text = body.signed.text.replace("|app-20|", "|app-99|");
    }
    delete body.chain;
    const entry = nextEntry(head, Number(row.wall_ms), body);
    database.prepare("UPDATE log SET previous = ?, hash = ?, body = ? WHERE sequence = ?")
      .run(entry.previous, entry.hash, JSON.stringify(body), entry.sequence);
    head = entry;
  }
}

Deno.test("optionally encrypted at rest (AES-256-GCM, fresh nonce a record)", async () => {
  await using cluster = new TrustCluster();
  const atRestKey = crypto.getRandomValues(new Uint8Array(32));
  const key = `${cluster.folder}/rest.key`;
  Deno.writeFileSync(key, atRestKey, { mode: 0o600 });
  await cluster.startConductor({ atRestKey });
  await cluster.up("hidden-name", TRUE);
  await cluster.stopConductor();
  const files = await Array.fromAsync(Deno.readDir(cluster.state));
  for (const { name } of files) {
    const bytes = await Deno.readFile(`${cluster.state}/${name}`);
    const text = new TextDecoder("latin1").decode(bytes);
    assert(!text.includes("hidden-name"), `${name} shows the name of an app`);
    assert(!text.includes(btoa("app hidden-name").slice(0, 16)), `${name} shows a manifest`);
  }
  const database = new DatabaseSync(`${cluster.state}/log.db`);
  const bodies = database.prepare("SELECT body FROM log").all().map((row) => String(row.body));
  database.close();
  assert(bodies.every((body) => body.startsWith("aes1:")));
  const nonces = bodies.map((body) => Uint8Array.fromBase64(body.slice(5)).slice(0, 12).toHex());
  assertEquals(new Set(nonces).size, nonces.length);
  const said = await skr8tr(
    cluster,
    ...["audit", "verify", "--state", "conductor", "--at-rest-key", key],
  );
  assertEquals(said.code, 0, said.out + said.error);
  const without = await skr8tr(cluster, "audit", "verify", "--state", "conductor");
  assertStringIncludes(without.error, "the log is encrypted");
  await cluster.startConductor({ atRestKey });
  assertEquals((await audit(cluster, "&app=hidden-name")).length, 1);
  assert((await cluster.view("hidden-name")) !== null);
});

const RSYSLOG = "/usr/sbin/rsyslogd";
const RSYSLOG_TLS = "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so";

/** Whether a file of a Debian package is there; says so in one line where it is not. */
async function has(file: string, debian: string): Promise<boolean> {
  const found = await Deno.stat(file).then(() => true, () => false);
  if (!found) console.log(`not run: ${debian} is not installed`);
  return found;
}

/**
 * Starts rsyslog with these inputs, while `work` lasts.
 *
 * @param port of an input over TCP: when it is open, rsyslog is ready
 * @returns what it has received, a line each
 */
async function withRsyslog(
  folder: string,
  inputs: string,
  port: number,
  work: (lines: () => string[]) => Promise<void>,
): Promise<void> {
  const out = `${folder}/received`;
  const fields = ["inputname", "pri", "protocol-version", "hostname", "app-name", "msgid"];
  const seen = [...fields, "structured-data", "msg"].map((each) => `%${each}%`).join("|");
  Deno.writeTextFileSync(
    `${folder}/rsyslog.conf`,
    `${inputs}
template(name="seen" type="string" string="${seen}\\n")
action(type="omfile" file="${out}" template="seen")
`,
  );
  const server = new Deno.Command(RSYSLOG, {
    args: ["-n", "-f", `${folder}/rsyslog.conf`, "-i", `${folder}/rsyslog.pid`],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await until(
      "rsyslog listens",
      () =>
        Deno.connect({ hostname: HOST, port }).then((each) => (each.close(), true), () => false),
    );
    await work(() => {
      try {
        return Deno.readTextFileSync(out).split("\n");
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return [];
        throw error;
      }
    });
  } finally {
    server.kill("SIGTERM");
    await server.status;
  }
}

Deno.test("forwarded as RFC 5424 syslog over UDP and TCP, as rsyslog reads it", async () => {
  if (!await has(RSYSLOG, "rsyslog")) return;
  await using cluster = new TrustCluster();
  const [udp, tcp] = [42_514, 42_601];
  const inputs = `module(load="imudp")
module(load="imtcp")
input(type="imudp" address="${HOST}" port="${udp}")
input(type="imtcp" address="${HOST}" port="${tcp}")`;
  await withRsyslog(cluster.folder, inputs, tcp, async (received) => {
    const syslog = [`udp://${HOST}:${udp}`, `tcp://${HOST}:${tcp}`].map(parseSyslogTarget);
    await cluster.startConductor({ syslog });
    await cluster.up("web", TRUE);
    assertStringIncludes(await cluster.post("EVICT|web"), "UNAUTHORIZED");
    await cluster.command({ verb: "DOWN", id: id(), app: "web" });
    const lines = await until("both have it", () => {
      const all = received();
      return all.filter((line) => line.includes("DOWN")).length >= 2 ? all : null;
    });
    for (const by of ["imudp", "imtcp"]) {
      const own = lines.filter((line) => line.startsWith(`${by}|`));
      assertApply(own, by);
      assert(own.some((line) => line.includes("|108|1|") && line.includes("without a signature")));
    }
  });
});

/** What the audit says of an APPLY, as rsyslog takes it apart. */
function assertApply(lines: readonly string[], by: string): void {
  const apply = lines.find((line) => line.includes('verb="APPLY"'))!;
  assertMatch(
    apply,
    new RegExp(`^${by}\\|109\\|1\\|${HOST}\\|skr8tr-conductor\\|command\\|\\[skr8tr@32473 `),
  );
  assertStringIncludes(apply, 'app="web"');
  assertStringIncludes(apply, "apply web generation 1");
}

Deno.test("forwarded as RFC 5424 syslog over TLS, as rsyslog reads it; to no server that somebody else has certified", async () => {
  if (!await has(RSYSLOG, "rsyslog") || !await has(RSYSLOG_TLS, "rsyslog-openssl")) return;
  const [files, other] = [await certify("syslog", HOST), await certify("other", HOST)];
  if (!files || !other) return console.log("not run: openssl is not installed");
  await using cluster = new TrustCluster();
  const port = 42_651;
  const inputs = `global(DefaultNetstreamDriver="ossl"
  DefaultNetstreamDriverCAFile="${files.certificate}"
  DefaultNetstreamDriverCertFile="${files.certificate}"
  DefaultNetstreamDriverKeyFile="${files.key}")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imtcp" address="${HOST}" port="${port}")`;
  await withRsyslog(cluster.folder, inputs, port, async (received) => {
    const target = parseSyslogTarget(`tls://${HOST}:${port}`);
    // The other target trusts a certificate that this server does not have.
    const syslog = [files, other].map(({ certificate }) => ({
      ...target,
      caCerts: [Deno.readTextFileSync(certificate)],
    }));
    await cluster.startConductor({ syslog });
    await cluster.up("web", TRUE);
    await cluster.command({ verb: "DOWN", id: id(), app: "web" });
    const lines = await until("rsyslog has it", () => {
      const all = received();
      return all.some((line) => line.includes("DOWN")) ? all : null;
    });
    assertApply(lines, "imtcp");
    assertEquals(lines.filter((line) => line.includes('verb="APPLY"')).length, 1);
  });
});
