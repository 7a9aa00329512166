// What `--json` prints on a real cluster is what docs/views.schema.json says.

import { assert, assertEquals } from "@std/assert";
import Ajv from "ajv/dist/2020.js";
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

async function skr8tr(line: ReadyLine, words: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "cli/main.ts", "--conductor", line.conductor, ...words],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((each) => each !== "");
}
