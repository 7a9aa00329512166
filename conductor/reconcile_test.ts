import { assert, assertEquals } from "@std/assert";
import { parseManifest } from "../core/manifest/parse.ts";
import type { ReplicaStatus } from "../core/mesh.ts";
import { reconcile, type Sight } from "./reconcile.ts";
import { manifestOf } from "./rig_test.ts";
import type { App } from "./state.ts";

const VOLUME = ["volume { path data }"];
const STOP_FIRST = ["rollout { order stop-first }"];
const HEALTH = ["port 8001", "health {", "  check GET /health 200", "}"];

/** An app whose generations have these manifests, oldest first. */
function appOf(...manifests: string[][]): App {
  const generations = manifests.map((lines, at) => {
    const manifest = manifestOf("web", [...lines, `args ${at + 1}`]);
    const parsed = parseManifest(manifest);
    assert(parsed.ok, manifest);
    const generation = at + 1;
    return {
      generation,
      sequence: generation,
      manifest,
      spec: parsed.apps[0]!,
      key: "",
      wallMs: 0,
    };
  });
  return { name: "web", down: false, generations, placements: new Map(), placed: 0 };
}

/** `web.<number>`: a replica of this generation and index, as it is seen. */
function sight(
  number: number,
  generation: number,
  index: number,
  state: ReplicaStatus["state"] | null,
  more: Partial<Sight> & { readonly leaving?: boolean } = {},
): Sight {
  const { leaving = false, ...rest } = more;
  const replica = `web.${number}`;
  const base = { replica, app: "web", generation };
  return {
    placement: { ...base, sequence: generation, index, node: "a", leaving },
    status: state === null
      ? undefined
      : { ...base, version: 1, state, restarts: 0, sinceWallMs: 0 },
    node: "ready",
    nodeName: "node-1",
    absent: false,
    reported: true,
    readyForMs: state === "ready" ? 60_000 : 0,
    ...rest,
  };
}

/** `place 0 1; leave web.1; replace web.3; gone web.2; wait ...`, what there is of it. */
function told(app: App, sights: readonly Sight[], needs: string[] = []): string {
  const { place, leave, replace = [], gone, wait } = reconcile(app, sights, needs);
  const ids = (name: string, list: readonly { replica: string }[]) =>
    list.length === 0 ? [] : [`${name} ${list.map((each) => each.replica).join(" ")}`];
  return [
    ...(place.length === 0 ? [] : [`place ${place.join(" ")}`]),
    ...ids("leave", leave),
    ...ids("replace", replace),
    ...ids("gone", gone),
    ...wait.map((text) => `wait ${text}`),
  ].join("; ");
}

const two = ["replicas 2", ...HEALTH];
const stopFirst = [...two, "rollout {", "  order stop-first", "}"];
const dead = { node: "dead" } as const;
const unheard = { node: "unknown", reported: false } as const;
const leaving = { leaving: true } as const;

const cases: [name: string, app: App, sights: Sight[], says: string][] = [
  ["nothing is there", appOf(two), [], "place 0 1"],
  ["all is there", appOf(two), [sight(1, 1, 0, "ready"), sight(2, 1, 1, "starting")], ""],
  ["one index is missing", appOf(two), [sight(2, 1, 1, "ready")], "place 0"],
  [
    "one too many",
    appOf(["replicas 1"]),
    [sight(1, 1, 0, "ready"), sight(2, 1, 1, "ready")],
    "leave web.2",
  ],
  [
    "an index twice",
    appOf(["replicas 1"]),
    [sight(1, 1, 0, "ready"), sight(2, 1, 0, "ready")],
    "leave web.2",
  ],
  [
    "its node is dead",
    appOf(["replicas 1"]),
    [sight(1, 1, 0, "ready", dead)],
    "place 0; gone web.1",
  ],
  ["it was stopped there", appOf(["replicas 1"]), [
    sight(1, 1, 0, "finished", {
      status: { ...sight(1, 1, 0, "finished").status!, exit: { why: "stopped", wallMs: 1 } },
    }),
  ], "place 0; gone web.1"],
  ["it ended by itself", appOf(["replicas 1"]), [sight(1, 1, 0, "finished")], ""],
  ["leaving and ended", appOf(["replicas 1"]), [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, "finished", leaving),
  ], "gone web.2"],
  ["leaving and not there", appOf(["replicas 1"]), [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, null, { ...leaving, absent: true }),
  ], "gone web.2"],
  ["start-first: one more is placed", appOf(two, two), [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, "ready"),
  ], "place 0"],
  ["start-first: the new one is not ready", appOf(two, two), [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, "ready"),
    sight(3, 2, 0, "starting"),
  ], ""],
  ["start-first: the new one is ready", appOf(two, two), [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, "ready"),
    sight(3, 2, 0, "ready"),
  ], "leave web.1"],
  ["start-first: the old one still drains", appOf(two, two), [
    sight(1, 1, 0, "stopping", leaving),
    sight(2, 1, 1, "ready"),
    sight(3, 2, 0, "ready"),
  ], ""],
  ["start-first: idle old ones go first", appOf(two, two), [
    sight(1, 1, 0, "waiting"),
    sight(2, 1, 1, "ready"),
  ], "place 0; leave web.1"],
  ["start-first: unheard old ones stay", appOf(two, two), [
    sight(1, 1, 0, null, unheard),
    sight(2, 1, 1, null, unheard),
  ], "place 0"],
  ["stop-first: one leaves", appOf(stopFirst, stopFirst), [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, "ready"),
  ], "replace web.1"],
  ["stop-first: nothing while it drains", appOf(stopFirst, stopFirst), [
    sight(1, 1, 0, "stopping", leaving),
    sight(2, 1, 1, "ready"),
  ], ""],
  [
    "stop-first: its place is taken",
    appOf(stopFirst, stopFirst),
    [sight(2, 1, 1, "ready")],
    "place 0",
  ],
  ["stop-first: nothing until it is ready", appOf(stopFirst, stopFirst), [
    sight(2, 1, 1, "ready"),
    sight(3, 2, 0, "starting"),
  ], ""],
  ["stop-first: unheard old ones stay", appOf(stopFirst, stopFirst), [
    sight(1, 1, 0, null, unheard),
    sight(2, 1, 1, null, unheard),
  ], ""],
  ["taken down", { ...appOf(two), down: true }, [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, "stopping", leaving),
  ], "leave web.1"],
  ["started again while the one on its volume is leaving", appOf(VOLUME), [
    sight(1, 1, 0, "stopping", leaving),
  ], ""],
  ["stop-first, more wanted while some are leaving", appOf(["replicas 3", ...STOP_FIRST]), [
    sight(1, 1, 0, "ready"),
    sight(2, 1, 1, "stopping", leaving),
  ], "place 1"],
];

for (const [name, app, sights, says] of cases) {
  Deno.test(`reconcile() ${name}: ${says || "nothing to do"}`, () => {
    assertEquals(told(app, sights), says);
    assertEquals(told(app, sights), says, "the same every time");
  });
}

Deno.test("reconcile() without a health check waits until the new one has stood for a while", () => {
  const plain = ["replicas 1", "rollout {", "  settle 8s", "}"];
  const old = sight(1, 1, 0, "ready");
  const young = reconcile(appOf(plain, plain), [
    old,
    sight(2, 2, 0, "ready", { readyForMs: 3_000 }),
  ], []);
  assertEquals([young.leave, young.againMs], [[], 5_000]);
  const proven = reconcile(appOf(plain, plain), [
    old,
    sight(2, 2, 0, "ready", { readyForMs: 8_000 }),
  ], []);
  assertEquals(proven.leave.map((each) => each.replica), ["web.1"]);
});

Deno.test("reconcile() waits for needs only before anything runs", () => {
  assertEquals(told(appOf(two), [], ["db"]), "wait needs db first");
  assertEquals(told(appOf(two), [sight(1, 1, 0, "ready")], ["db"]), "place 1");
});
