// What `--json` prints on a real cluster is what docs/views.schema.json says.

import { assert, assertEquals } from "@std/assert";
import Ajv from "ajv/dist/2020.js";
import { main } from "../../cli/main.ts";
import { COMMANDS } from "../../cli/table.ts";
import { keptOutput } from "../../cli/testing/output.ts";
import { type ReadyLine, startClusterTask } from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** Command line -> what each line of its output is. */
const PRINTS: Readonly<Record<string, unknown>> = {
  "status": { $ref: "views#/$defs/StatusView" },
  "status product-svc": { $ref: "views#/$defs/AppView" },
  "list": listOf("apps", "AppView"),
  "nodes": listOf("nodes", "NodeView"),
  "events": { $ref: "views#/$defs/EventView" },
  "logs product-svc": { $ref: "views#/$defs/LogView" },
  "describe node-1": { $ref: "views#/$defs/NodeView" },
  "describe product-svc": { $ref: "views#/$defs/AppView" },
  "describe product-svc.1": { $ref: "views#/$defs/ReplicaView" },
  "top": {
    type: "object",
    properties: { sample: { $ref: "views#/$defs/DeckSample" } },
    required: ["sample"],
  },
  "top product-svc": { $ref: "views#/$defs/MetricsView" },
  "traces": listOf("traces", "TraceView"),
  "up --dry-run market/manifests/product-svc.skr8tr": { $ref: "views#/$defs/PlanView" },
};

function listOf(name: string, view: string): unknown {
  const items = { $ref: `views#/$defs/${view}` };
  return { type: "object", properties: { [name]: { type: "array", items } }, required: [name] };
}

Deno.test("--json prints what the schema says, command by command", async (t) => {
  const schema = JSON.parse(await Deno.readTextFile(`${ROOT}/docs/views.schema.json`));
  const schemas = new Ajv.default({ allErrors: true }).addSchema(schema, "views");
  await using cluster = await startClusterTask(["--only=product-svc"]);
  const line = await cluster.ready();
  assert(line.ready, line.error);
  for (const [command, view] of Object.entries(PRINTS)) {
    await t.step(`skr8tr ${command} --json`, async () => {
      const check = schemas.compile(view as object);
      const printed = await skr8tr(line, [...command.split(" "), "--json"]);
      assert(printed.length > 0, "it prints something");
      for (const each of printed) assert(check(JSON.parse(each)), JSON.stringify(check.errors));
    });
  }
  await cluster.stop();
});

/**
 * A command line for every command that knows --json, in an order in which they can be run: `STATE`
 * is the cluster's folder, `FILE` a manifest that runs, `JOB` one of a job.
 */
const LINES: readonly string[] = [
  ...["version", "ping", "explain", "explain health.interval", "check FILE", "diff FILE"],
  ...[
    "list",
    "nodes",
    "top",
    "top product-svc",
    "traces",
    "status",
    "status product-svc",
    "lookup product-svc",
  ],
  ...["describe product-svc", "describe node-1", "describe product-svc.1", "why product-svc"],
  ...["up --dry-run FILE", "up FILE", "rollout FILE", "rollout status product-svc"],
  ...["scale product-svc=3", "restart product-svc", "stop product-svc", "start product-svc"],
  ...["history product-svc", "rollback product-svc --to 1", "logs product-svc", "logs --all"],
  ...["run JOB --wait", "run tick", "runs tick", "events", "events --grep ready --since 10m"],
  ...["keygen --key STATE/ann.sec --out STATE/ann.pub", "operator list"],
  ...["operator add ann --pubkey STATE/ann.pub --role viewer", "grant ann --role deployer"],
  ...[
    "operator revoke ann",
    "quota default --replicas 40",
    "quota default",
    "quota default --none",
  ],
  ...["secret set word --file STATE/ann.pub", "secret list", "secret rm word"],
  ...["volume list", "node show node-1", "node cordon node-1", "node uncordon node-1"],
  ...["node drain node-1 --wait", "node uncordon node-1", "rebalance", "what-if --lose node-1"],
  ...["audit -n 5", "token create", "context list", "deck", "down product-svc nobody"],
];

/** These stream, and have tests of their own. */
const STREAMS: readonly string[] = ["cp", "port-forward"];

Deno.test("every command that knows --json prints nothing but JSON with it", async (t) => {
  const commands = COMMANDS.filter(({ options }) => options.some(({ name }) => name === "json"));
  const missing = commands.map(({ name }) => name)
    .filter((name) =>
      !STREAMS.includes(name) && !LINES.some((line) => line.split(" ")[0] === name)
    );
  assertEquals(missing, []);
  await using cluster = await startClusterTask(["--only=product-svc"]);
  const line = await cluster.ready();
  assert(line.ready, line.error);
  const { state } = cluster;
  const job = `${state}/tick.skr8tr`;
  await Deno.writeTextFile(job, "app tick\n  type job\n  exec /bin/echo\n  args tock\n");
  const file = `${ROOT}/market/manifests/product-svc.skr8tr`;
  const own = ["--conductor", line.conductor, "--tower", line.tower];
  for (const words of LINES) {
    const named = words.replaceAll("STATE", state).replace("FILE", file).replace("JOB", job);
    await t.step(`skr8tr ${words} --json`, async () => {
      const output = keptOutput();
      const key = named.includes("--key") ? [] : ["--key", `${state}/signing.sec`];
      const code = await main([...own, ...key, ...named.split(" "), "--json"], output);
      // 1: the cluster said no, or a file differs from what runs; that is JSON, too.
      assert(code === 0 || code === 1, `${code}: ${output.noted.join("\n")}`);
      assert(output.printed.length > 0, output.noted.join("\n"));
      for (const each of output.printed) JSON.parse(each);
    });
  }
  await cluster.stop();
});

async function skr8tr(line: ReadyLine, words: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "cli/main.ts", "--conductor", line.conductor, ...words],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((each) => each !== "");
}
