// A live cluster killed, broken and misconfigured in more than twenty ways: `status`, `why` and
// `describe` name the cause in each.

import { assert, assertEquals } from "@std/assert";
import { keptOutput } from "../../cli/testing/output.ts";
import { main } from "../../cli/main.ts";
import { HOST, id, keysOf, ROOT, signedBy, TrustCluster, until } from "./trust_cluster.ts";
import { changedArtifact, diskFull, pausedByHand, SLEEP, type Way, wrongClock } from "./ways.ts";

/** An app that is applied and is then as its lines make it. */
interface Broken extends Way {
  readonly lines: string;
}

const TAKEN_PORT = 32_998;
const SHA256 = "ab".repeat(32);

function sh(script: string): string {
  return `  exec /bin/sh\n  args -c '${script}'`;
}

function server(check: string): string {
  return `  exec busybox\n  args httpd -f -p \${IP}:\${PORT} -h /usr/share\n  port 32600\n` +
    `  health {\n    check ${check}\n    interval 100ms\n    timeout 200ms\n    retries 2\n  }`;
}

const BROKEN: readonly Broken[] = [
  {
    way: "it crashes again and again",
    app: "crash",
    lines: sh("echo no database at db:5432; exit 3"),
    cause: [/exit(ed with)? code 3/, /no database at db:5432/],
  },
  {
    way: "its program is missing",
    app: "missing",
    lines: "  exec /opt/nothing",
    cause: [/\/opt\/nothing does not exist on this node/],
  },
  {
    way: "its program may not be executed",
    app: "plain",
    lines: "  exec FOLDER/plain.sh",
    cause: [/plain\.sh is not executable; chmod \+x it/],
  },
  {
    way: "its port is taken",
    app: "taken",
    lines: `${SLEEP}\n  port ${TAKEN_PORT} fixed`,
    cause: [/port 32998 is fixed and held by another program/],
  },
  {
    way: "its health check asks for a wrong path",
    app: "path",
    lines: server("GET /no/such/page 200"),
    cause: [/health check: .*404/],
  },
  {
    way: "it never listens",
    app: "deaf",
    lines:
      `${SLEEP}\n  port 32700\n  health {\n    check TCP\n    interval 100ms\n    retries 2\n  }`,
    cause: [/health check: .*(refused|nothing listens)/],
  },
  {
    way: "its health check takes too long",
    app: "slow",
    lines: `${SLEEP}\n  health {\n    check EXEC sleep 5\n    interval 100ms\n    timeout 200ms\n` +
      "    retries 2\n  }",
    cause: [/health check: .*200 ms/],
  },
  {
    way: "it needs more memory than it may have",
    app: "memory",
    lines: "  exec tail\n  args /dev/zero\n  ram 24mb",
    cause: [/out of memory|memory/],
  },
  {
    way: "no node has room for its memory",
    app: "large",
    lines: `${SLEEP}\n  ram 4tb`,
    cause: [/needs 4194304 MiB, \d+ MiB free/],
  },
  {
    way: "no node has cores for it",
    app: "busy",
    lines: `${SLEEP}\n  cpu 4000`,
    cause: [/needs 4000 cores, [\d.]+ free/],
  },
  {
    way: "no node has its label",
    app: "label",
    lines: `${SLEEP}\n  place {\n    require disk=ssd\n  }`,
    cause: [/needs label disk=ssd, it has none/],
  },
  {
    way: "its user is unknown",
    app: "user",
    lines: `${SLEEP}\n  user nosuchuser`,
    cause: [/user nosuchuser does not exist on this node/],
  },
  {
    way: "its secret was never set",
    app: "secret",
    lines: `${SLEEP}\n  secret {\n    TOKEN token-of-nobody\n  }`,
    cause: [/there is no secret token-of-nobody in namespace default; skr8tr secret set/],
  },
  {
    way: "its artifact was never uploaded",
    app: "artifact",
    lines: `  exec \${ARTIFACT}/web\n  artifact {\n    from web\n    sha256 ${SHA256}\n` +
      "    bytes 1000\n    form file\n  }",
    cause: [/artifact abababab/],
  },
  {
    way: "what it needs is not ready",
    app: "needy",
    lines: `${SLEEP}\n  needs missing`,
    cause: [/needs missing first/],
  },
  {
    way: "a run of it fails",
    app: "job",
    lines: `  type job\n${sh("echo bad input; exit 4")}\n  retries 0`,
    cause: [/run 1 failed: exit code 4/],
    why: /bad input/,
  },
  {
    way: "a run of it takes too long",
    app: "lasting",
    lines: `  type job\n${SLEEP}\n  timeout 1s\n  retries 0`,
    cause: [/it took longer than 1 s/],
  },
];

/** What is refused at once: there is no such app, and the refusal is what can be known of it. */
const REFUSED: readonly Broken[] = [
  {
    way: "its schedule never comes",
    app: "never",
    lines: "  type job\n  exec /bin/true\n  schedule 0 0 30 2 *",
    cause: [/this schedule never fires/],
  },
  {
    way: "its namespace has no room for it",
    app: "quota",
    lines: `${SLEEP}\n  namespace small\n  replicas 5`,
    cause: [/namespace small may have 1 replicas/],
  },
];

Deno.test("status, why and describe name the cause, in whatever way an app is broken", async (t) => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  Deno.writeTextFileSync(`${cluster.folder}/plain.sh`, "#!/bin/sh\n", { mode: 0o644 });
  const one = await cluster.startNode("one");
  const say = async (...words: string[]) => {
    const output = keptOutput();
    await main([...words, "--conductor", `${HOST}:${cluster.port}`], output);
    return [...output.printed, ...output.noted].join("\n");
  };
  /** Waits until all three name the cause. */
  const named = async ({ way, app, cause, why }: Way, described = app) => {
    await t.step(way, async () => {
      const lacking = async () => {
        const [status, told, description] = await Promise.all([
          say("status"),
          say("why", app),
          say("describe", described),
        ]);
        const all = { status, why: told, describe: description };
        const wanted = cause.flatMap((each) =>
          Object.keys(all).map((command) => [command as keyof typeof all, each] as const)
        );
        if (why) wanted.push(["why", why]);
        const missed = wanted.find(([command, each]) => !each.test(all[command]));
        return missed && `${missed[0]} does not say ${missed[1]}:\n${all[missed[0]]}`;
      };
      let last: string | undefined;
      await until(way, async () => (last = await lacking()) === undefined, 15_000)
        .catch((error) => {
          throw new Error(`${error.message}: ${last}`);
        });
    });
  };
  using _taken = Deno.listen({ hostname: HOST, port: TAKEN_PORT });
  const upload = { verb: "UPLOAD", id: id(), sha256: SHA256, bytes: "1000" } as const;
  assertEquals(await cluster.command(upload), `OK|UPLOAD|${SHA256}`);
  await cluster.command(`QUOTA|${id()}|small|1|-|-`);
  for (const { app, lines } of BROKEN) {
    const own = lines.replace("FOLDER", cluster.folder);
    assertEquals(await cluster.up(app, own), `OK|APPLIED|${app}|1`);
  }
  for (const { app, lines } of REFUSED) assert((await cluster.up(app, lines)).startsWith("ERR|"));
  const worse = sh("echo worse; exit 9");
  for (const app of ["paused", "canary"]) {
    assertEquals(await cluster.up(app, SLEEP), `OK|APPLIED|${app}|1`);
    await cluster.ready(app, 1);
  }
  const paused = `${worse}\n  rollout {\n    on-failure pause\n  }`;
  assertEquals(await cluster.up("paused", paused, 2, ROOT, 1), "OK|APPLIED|paused|2");
  const canary = `${worse}\n  rollout {\n    canary 10% 60s\n  }`;
  assertEquals(await cluster.up("canary", canary, 2, ROOT, 1), "OK|APPLIED|canary|2");

  for (const each of [...BROKEN, ...REFUSED]) await named(each);
  await named({
    way: "its rollout was paused by a failure",
    app: "paused",
    cause: [/generation 2 (stands still|failed).*exit code 9/],
    why: /worse/,
  });
  await named({
    way: "its canary was refused, and it went back",
    app: "canary",
    cause: [/(generation )?2 (of canary failed|was rolled back|rolled-back).*exit code 9/],
    why: /worse/,
  });
  await t.step("a command by an unknown key, and one by a wrong clock", async () => {
    await cluster.up("stranger", SLEEP, 1, keysOf(7));
    await cluster.post(signedBy(ROOT, `STOP|${id()}|crash`, -100));
    const [status, events] = await Promise.all([say("status"), say("events")]);
    for (
      const each of [/no authorised key made its signature/, /its time is 10\d s behind this clock/]
    ) {
      assert(each.test(status), status);
      assert(each.test(events), events);
    }
  });

  await changedArtifact(cluster, named);
  await pausedByHand(cluster, named);
  await wrongClock(cluster, named);
  await diskFull(cluster, named);

  // The rest is about what is around the apps.
  const routed = `${SLEEP}\n  port 32800\n  route {\n    path /shop\n  }`;
  assertEquals(await cluster.up("shop", routed), "OK|APPLIED|shop|1");
  await named({
    way: "the tower is down",
    app: "shop",
    cause: [/the tower at 127\.0\.27\.1:1 is not heard/],
  });
  await named({ way: "no ingress serves its route", app: "shop", cause: [/no ingress is heard/] });

  const two = await cluster.startNode("two", { labels: { here: "two" } });
  const kept = `${SLEEP}\n  place {\n    require here=two\n  }\n  volume {\n    path kept\n  }`;
  assertEquals(await cluster.up("home", kept), "OK|APPLIED|home|1");
  await cluster.ready("home", 1);
  for (const node of ["one", "two"]) {
    assertEquals(await cluster.command(`CORDON|${id()}|${node}`), `OK|CORDONED|${node}`);
  }
  assertEquals(await cluster.up("shut", SLEEP), "OK|APPLIED|shut|1");
  await named({ way: "every node is cordoned", app: "shut", cause: [/cordoned/] });
  await cluster.command(`UNCORDON|${id()}|two`);
  cluster.nodes.splice(cluster.nodes.indexOf(two), 1);
  await two.stop();
  await named({
    way: "the node of its volume is gone",
    app: "home",
    cause: [/two.*(silent|dead|not heard)|its home two/],
  });
  await t.step("a node is dead", async () => {
    const status = await say("status");
    assert(/two is dead: silent for \d+ s/.test(status), status);
    const described = await say("describe", "two");
    assert(/two is dead, silent for/.test(described), described);
  });
  assert(one.machine.replicas.size > 0);
});
