import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseManifest } from "../../core/manifest/parse.ts";
import { manifestOf, Rig } from "../rig_test.ts";
import { routesOf } from "../routes.ts";
import { problemsOfApp, statusView } from "./status_view.ts";
import { appView, appViews, planView } from "./views.ts";

const HEALTH = ["port 8001", "health {", "  check GET /health 200", "}"];

function rigWith(nodes: number, quick = true): Rig {
  const rig = new Rig();
  for (let number = 1; number <= nodes; number++) rig.addNode(number).quick = quick;
  rig.live(500);
  return rig;
}

function look(rig: Rig, app = "web") {
  const { state, ready, reasons } = appView(rig.machine, rig.machine.state.apps.get(app)!, rig.now);
  return [state, ready, ...reasons];
}

Deno.test("an app is deploying, ready, degraded and ready again, and down", () => {
  const rig = rigWith(1, false);
  const node = [...rig.nodes.values()][0]!;
  rig.apply("web", manifestOf("web", ["replicas 2", ...HEALTH]));
  rig.live(500);
  assertEquals(look(rig), ["deploying", 0]);
  node.become("web.1", "ready");
  assertEquals(look(rig), ["deploying", 1]);
  node.become("web.2", "ready");
  assertEquals(look(rig), ["ready", 2]);
  node.become("web.1", "starting", { restarts: 1, exit: { code: 3, why: "exit", wallMs: 9 } });
  assertEquals(look(rig), ["degraded", 1, "web.1 on node-1: exit code 3"]);
  assertEquals(statusView(rig.machine, "1", rig.now).problems, ["web.1 on node-1: exit code 3"]);
  node.become("web.1", "ready");
  assertEquals(look(rig), ["ready", 2]);
  rig.down("web");
  assertEquals(look(rig), ["down", 0]);
  rig.live(500);
  node.become("web.1", "finished");
  node.become("web.2", "finished");
  rig.live(500);
  assertEquals(appViews(rig.machine, rig.now), [], "gone");
});

Deno.test("an app fails, with the reason, where waiting is in vain", () => {
  const cases: [
    name: string,
    change: Parameters<InstanceType<typeof Map>["set"]>[1],
    says: string,
  ][] = [
    [
      "cannot start",
      { restarts: 1, exit: { why: "launch", wallMs: 1, tail: "no such file" } },
      "could not be started: no such file",
    ],
    [
      "keeps dying",
      { restarts: 3, exit: { signal: "SIGSEGV", why: "exit", wallMs: 1 } },
      "killed by SIGSEGV",
    ],
    ["out of memory", { restarts: 4, exit: { why: "oom", wallMs: 1 } }, "killed: out of memory"],
    ["unhealthy", {
      restarts: 3,
      reason: "GET /health answered 500",
      exit: { why: "unhealthy", wallMs: 1 },
    }, "GET /health answered 500; killed after failing its health check"],
  ];
  for (const [name, change, says] of cases) {
    const rig = rigWith(1, false);
    rig.apply("web", manifestOf("web", HEALTH));
    rig.live(500);
    [...rig.nodes.values()][0]!.become("web.1", "waiting", change as object);
    assertEquals(look(rig), ["failing", 0, `web.1 on node-1: ${says}`], name);
  }
  const rig = rigWith(0);
  rig.apply("web", manifestOf("web"));
  rig.live(500);
  assertEquals(look(rig), ["failing", 0, "cannot place web: no node has joined"]);
});

Deno.test("a dry run prints what would be executed, and changes nothing", () => {
  const rig = rigWith(2);
  rig.apply("web", manifestOf("web"));
  rig.live(500);
  const before = JSON.stringify(rig.machine.ledger.all().map((node) => node.replicas));
  const text = manifestOf("web", ["replicas 3"]);
  const parsed = parseManifest(text);
  if (!parsed.ok) throw new Error("the manifest is good");
  const manifests = [{ spec: parsed.apps[0]!, manifest: text }];
  const first = planView(rig.machine, manifests, rig.now);
  assertEquals(planView(rig.machine, manifests, rig.now), first, "the same every time");
  assertEquals(first.apps[0]!.generation, 2);
  assertEquals(JSON.stringify(rig.machine.ledger.all().map((node) => node.replicas)), before);
  const told = rig.told("decided").length;
  rig.apply("web", text);
  rig.live(500);
  assertEquals(
    rig.told("decided").slice(told, told + first.apps[0]!.operations.length),
    first.apps[0]!.operations,
  );
});

Deno.test("routesOf() is what the manifests ask for, without apps that are down", () => {
  const rig = rigWith(1);
  const route = [
    "port 8001",
    "route {",
    "  host Shop.example",
    "  path /api",
    "  strip yes",
    "  rate 10/s",
    "  per header:x-key",
    "  sticky cookie",
    "  weight 3",
    "}",
  ];
  rig.apply("web", manifestOf("web", route));
  rig.apply("gone", manifestOf("gone", ["port 8002", "route {", "  path /gone", "}"]));
  rig.down("gone");
  const [only, ...more] = routesOf(rig.machine.state);
  assertEquals(more, []);
  assertEquals([only!.app, only!.host, only!.path, only!.strip, only!.sticky, only!.weight], [
    "web",
    "shop.example",
    "/api",
    "/api",
    true,
    3,
  ]);
  assertEquals([only!.rate?.perSecond, only!.rate?.per], [10, "header:x-key"]);
  const published = rig.effects.filter((effect) => effect.do === "publish").at(-1)!;
  assertEquals(published.routes, routesOf(rig.machine.state));
});

Deno.test("a plan says what would be refused, and plans nothing of it", () => {
  const rig = rigWith(1);
  rig.apply("web", manifestOf("web", ["namespace shop"]));
  const manifest = manifestOf("web", ["namespace other"]);
  const parsed = parseManifest(manifest);
  if (!parsed.ok) throw new Error("the manifest is good");
  const [plan] = planView(rig.machine, [{ spec: parsed.apps[0]!, manifest }], rig.now).apps;
  assertEquals([plan!.operations, plan!.unplaced], [[], []]);
  assertStringIncludes(plan!.refused!, "web is up in the namespace shop");
});

Deno.test("a problem says whose it is, once", () => {
  const view = { app: "web", state: "failing", ready: 0, wanted: 2 } as const;
  const reasons = [
    "run 1 failed: exit code 4",
    "needs db first",
    "web.1 on node-1: exit code 3",
    "cannot place web on node-2: needs 9 MiB, 1 MiB free",
  ];
  assertEquals(problemsOfApp({ ...view, reasons }), [
    "web: run 1 failed: exit code 4",
    "web: needs db first",
    "web.1 on node-1: exit code 3",
    "cannot place web on node-2: needs 9 MiB, 1 MiB free",
  ]);
  assertEquals(problemsOfApp({ ...view, reasons: [] }), ["web: 0 of 2 ready"]);
  assertEquals(problemsOfApp({ ...view, state: "ready", reasons }), []);
});
