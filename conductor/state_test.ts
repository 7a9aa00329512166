import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { GENERATIONS } from "../core/limits.ts";
import { manifestOf, Rig } from "./rig_test.ts";
import { EMPTY_HEAD, type EntryBody, nextEntry } from "../core/log.ts";
import { applyEntry } from "./apply.ts";
import { loadState, saveState } from "./snapshot.ts";
import { emptyState, type State } from "./state.ts";

/** The state as plain values; empty sets of a node that holds nothing are nothing. */
function plain(state: State): unknown {
  return {
    head: state.head,
    apps: [...state.apps.values()].map((app) => ({ ...app, placements: [...app.placements] })),
    replicas: new Map(state.replicas),
    byNode: new Map([...state.byNode].filter(([, set]) => set.size > 0)),
    nodes: [...state.nodes],
    answered: [...state.answered],
    answeredIds: [...state.answeredIds],
    forgottenUnixS: state.forgottenUnixS,
  };
}

const histories = fc.array(
  fc.record({
    what: fc.constantFrom("apply", "down", "evict", "submit", "time", "exit", "restart", "cut"),
    who: fc.nat(5),
  }),
  { maxLength: 40 },
);

function act(rig: Rig, what: string, who: number): void {
  const app = `app-${who % 3}`;
  const node = [...rig.nodes.values()][who % rig.nodes.size]!;
  switch (what) {
    case "apply": {
      const volume = who === 5 ? ["volume {", "  path data", "}"] : [];
      return void rig.apply(app, manifestOf(app, [`replicas ${1 + who}`, ...volume]));
    }
    case "down":
      return void rig.down(app);
    case "evict":
      return void rig.ask(rig.signed(`EVICT|${app}`));
    case "submit":
      return void rig.ask(rig.signed("SUBMIT|/m/late.skr8tr"));
    case "exit": {
      const [replica] = node.statuses.keys();
      if (replica) node.become(replica, "finished");
      return rig.live(250);
    }
    case "restart":
      return rig.restart();
    case "cut":
      node.cut = !node.cut;
      return rig.live(1_000);
    default:
      return rig.live(who * 9_000);
  }
}

Deno.test("a snapshot at any place and the rest of the log give the state of the whole log", () => {
  fc.assert(
    fc.property(histories, fc.nat(), (story, cut) => {
      const rig = new Rig({ manifests: true });
      rig.files.set("/m/late.skr8tr", manifestOf("late"));
      for (const number of [1, 2, 3]) rig.addNode(number);
      rig.live(500);
      for (const { what, who } of story) act(rig, what, who);
      const whole = emptyState();
      for (const entry of rig.log) applyEntry(whole, entry);
      assertEquals(
        plain(whole),
        plain(rig.machine.state),
        "what the machine has is the log folded",
      );
      const at = cut % (rig.log.length + 1);
      const part = emptyState();
      for (const entry of rig.log.slice(0, at)) applyEntry(part, entry);
      const loaded = loadState(part.head, saveState(part));
      assert(loaded);
      assertEquals(plain(loaded), plain(part));
      for (const entry of rig.log.slice(at)) applyEntry(loaded, entry);
      assertEquals(plain(loaded), plain(whole));
      assertEquals(saveState(loaded), saveState(whole));
    }),
    { numRuns: 60 },
  );
});

Deno.test("generations are forgotten beyond the bound, those that run never", () => {
  const rig = new Rig();
  for (let count = 0; count < GENERATIONS + 10; count++) rig.apply("web", manifestOf("web"));
  const app = rig.machine.state.apps.get("web")!;
  assertEquals(app.generations.length, GENERATIONS);
  rig.addNode(1);
  rig.live(1_000);
  const node = [...rig.nodes.values()][0]!;
  const placed = [...app.placements.values()][0]!.generation;
  node.cut = true;
  node.quick = false;
  for (let count = 0; count < GENERATIONS + 10; count++) rig.apply("web", manifestOf("web"));
  assert(app.generations.some((each) => each.generation === placed), "it still runs");
});

Deno.test("loadState() gives null for what is no snapshot", () => {
  const head = { sequence: 0, hash: "" };
  for (const text of ["", "{", "{}", "[]", '{"version":1}', '{"version":"2"}']) {
    assertEquals(loadState(head, text), null, text);
  }
});

Deno.test("a daemon that is forgotten leaves no key behind that secrets would be sealed to", () => {
  const state = emptyState();
  const apply = (body: EntryBody) => applyEntry(state, nextEntry(state.head, 1_000, body));
  const node = "1".repeat(32);
  const [identity, key] = ["2".repeat(64), "3".repeat(64)];
  const terms = { id: "t", role: "node", untilS: 1, conductor: "", staticHash: "" } as const;
  const signed = (text: string) => ({ text, signatureHex: "", key });
  apply({
    kind: "join",
    member: { role: "node", name: "den", identity, staticKey: "AAAA", node },
    terms: { ...terms, head: EMPTY_HEAD },
    token: signed("JOIN|1"),
    identityKey: "",
    certificate: "",
    audit: "",
  });
  apply({ kind: "node", node, name: "den" });
  apply({ kind: "node-key", node, publicKey: "old" });
  assertEquals(state.nodeKeys.get(node), "old");
  apply({ kind: "command", signed: signed("FORGET|forget-0001|den|1"), reply: "", audit: "" });
  assertEquals(state.nodeKeys.get(node), undefined);
  // The machine comes back: its key is taken anew.
  apply({ kind: "node-key", node, publicKey: "new" });
  assertEquals(state.nodeKeys.get(node), "new");
});
