// Every command that signs something, against a conductor that executes it and whose answers are lost.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
} from "@std/assert";
import { splitVerb } from "../core/wire.ts";
import { SIGNED_VERBS } from "../core/command.ts";
import { boxKeys } from "../core/live/box.ts";
import type { IdCommand } from "./doubt.ts";
import { makeKeys } from "./keys.ts";
import { main } from "./main.ts";
import { COMMANDS } from "./table.ts";
import { appView, type FakeConductor, fakeConductor } from "./testing/conductor.ts";
import { keptOutput } from "./testing/output.ts";

/** Signed by the CLI, and not sent as the others are. */
const OTHERWISE = {
  OPEN:
    "begins a stream, which is its answer: without one there is none, and nothing goes on there",
  SUCCEED: "is written into a log by skr8tr recover itself",
} as const;

/** Of v1, which our CLI does not speak: without an id, and so not to be sent again. */
const V1 = ["SUBMIT", "ROLLOUT", "EVICT", "EXEC"];

/** For each verb what it is given by; `@` is the folder. */
const LINES: {
  readonly [V in Exclude<IdCommand["verb"], keyof typeof OTHERWISE>]: readonly string[];
} = {
  APPLY: ["up @api.skr8tr", "rollout @api.skr8tr"],
  UPLOAD: ["up @shipped.skr8tr"],
  RUN: ["run job"],
  DOWN: ["down old"],
  STOP: ["stop api"],
  START: ["start api"],
  RESTART: ["restart api"],
  SCALE: ["scale api=3"],
  PAUSE: ["rollout pause api"],
  RESUME: ["rollout resume api"],
  CORDON: ["node cordon den"],
  UNCORDON: ["node uncordon den"],
  DRAIN: ["node drain den"],
  REBALANCE: ["rebalance"],
  RELEASE: ["volume rm api"],
  OPERATOR: ["operator add ann --pubkey @other.pub", "grant bob --pubkey @other.pub"],
  GRANT: ["grant ann --role viewer"],
  UNGRANT: ["grant ann --take 17"],
  ROTATE: ["operator rotate ann --pubkey @other.pub"],
  REVOKE: ["operator revoke ann"],
  QUOTA: ["quota shop --replicas 4"],
  SECRET: ["secret set token --file @value"],
  UNSECRET: ["secret rm token"],
  DECK: ["deck"],
  FORGET: ["node forget den"],
};

/** The rest of the table, and why a lost answer is no matter there. */
const REST: Readonly<Record<string, string>> = {
  rollback: "cli/redeploy_test.ts",
  dev: "goes the way of up",
  exec: OTHERWISE.OPEN,
  cp: OTHERWISE.OPEN,
  "port-forward": OTHERWISE.OPEN,
  recover: OTHERWISE.SUCCEED,
  ...Object.fromEntries(
    [
      ...[
        "keygen",
        "history",
        "why",
        "list",
        "nodes",
        "status",
        "top",
        "traces",
        "describe",
        "logs",
        "runs",
      ],
      ...["events", "lookup", "ping", "check", "diff", "fmt", "explain", "completion", "complete"],
      ...["what-if", "context", "token", "store", "audit", "install", "help", "version"],
    ].map((name) => [name, "sends no command"]),
  ),
};

interface Stage extends AsyncDisposable {
  readonly fake: FakeConductor;
  run(line: string, port?: number): Promise<{ readonly code: number; readonly err: string }>;
}

/** A folder with what the lines name, and a conductor so many of whose answers are lost. */
async function stage(losing: number): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-cli-" });
  const key = `${folder}/signing.sec`;
  await makeKeys(key, `${folder}/own.pub`);
  await makeKeys(`${folder}/other.sec`, `${folder}/other.pub`);
  Deno.writeTextFileSync(`${folder}/value`, "hunter2");
  Deno.writeTextFileSync(`${folder}/api.skr8tr`, "app api\n  exec /bin/api\n");
  Deno.writeTextFileSync(`${folder}/program`, "#!/bin/sh\n");
  Deno.writeTextFileSync(
    `${folder}/shipped.skr8tr`,
    "app api\n  exec ${ARTIFACT}/program\n  artifact {\n    from program\n  }\n",
  );
  const { publicKey: box } = await boxKeys(new Uint8Array(64).fill(3));
  const fake = fakeConductor({
    publicKey: await Deno.readFile(`${folder}/own.pub`),
    losing,
    up: ["old"],
    pages: {
      "/api/apps/job": JSON.stringify(appView("job")),
      "/api/nodes/den": JSON.stringify({ node: { name: "den" }, placed: [] }),
      "/api/operators": JSON.stringify({ operators: [], quotas: [] }),
      "/api/secret-key": JSON.stringify({ publicKey: box.toBase64() }),
    },
    story: (app, generation) => [
      appView(app, {
        generation,
        state: "ready",
        newest: { generation, outcome: { result: "done", reason: "", wallMs: 3 } },
      }),
    ],
  });
  return {
    fake,
    async run(line, port = fake.port) {
      const output = keptOutput();
      const conductor = ["--conductor", `127.0.0.1:${port}`, "--key", key];
      const words = line.split(" ").map((word) => word.replace(/^@/, `${folder}/`));
      const code = await main([...conductor, ...words], output);
      return { code, err: output.noted.join("\n") };
    },
    async [Symbol.asyncDispose]() {
      await fake[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const verbOf = (command: string) => splitVerb(command)[0];

Deno.test("every verb that is signed, and every command of the table, is one of those below", () => {
  const verbs = [...Object.keys(LINES), ...Object.keys(OTHERWISE), ...V1];
  assertEquals(verbs.sort(), [...SIGNED_VERBS].sort());
  const given = Object.values(LINES).flat().map((line) => line.split(" ")[0]!);
  const names = [...new Set([...given, ...Object.keys(REST)])];
  assertEquals(names.sort(), COMMANDS.map((each) => each.name).sort());
});

for (const [verb, lines] of Object.entries(LINES)) {
  for (const line of lines) {
    Deno.test(`skr8tr ${line}: ${verb} is executed once, though its answers are lost`, async () => {
      // By datagram and over TCP, and once more.
      await using cli = await stage(3);
      const { code, err } = await cli.run(line);
      assertEquals(code, 0, err);
      const { executed, received } = cli.fake;
      assertEquals(executed.filter((each) => verbOf(each) === verb).length, 1);
      const sent = received.filter((each) => verbOf(each.command) === verb);
      assert(sent.length >= 4, `${sent.length} were sent`);
      assertEquals(new Set(sent.map((each) => each.command)).size, 1, "under one id");
    });

    Deno.test(`skr8tr ${line}: without any answer nobody knows whether ${verb} was executed`, async () => {
      await using cli = await stage(Infinity);
      const { code, err } = await cli.run(`--timeout 600ms ${line}`);
      assertEquals(code, 2);
      assertMatch(err, /error: nobody knows whether .*: .*the conductor does not answer: /);
      assertMatch(err, /; skr8tr [a-z]+.* tells when the conductor is back, and /);
      assertEquals(cli.fake.executed.map(verbOf), [verb]);
    });
  }
}

Deno.test("where no conductor is nothing was sent, and nobody has to wonder", async () => {
  for (const line of ["stop api", "down api", "node cordon den", "secret rm token"]) {
    await using cli = await stage(0);
    const { code, err } = await cli.run(line, 9);
    assertEquals(code, 2);
    assertStringIncludes(err, "the conductor does not answer: 127.0.0.1:9");
    assertNotMatch(err, /nobody knows/);
  }
});
