import { assert, assertEquals } from "@std/assert";
import { nextEntry } from "../core/log.ts";
import { wantedOf } from "./reconcile.ts";
import { manifestOf, Rig } from "./rig_test.ts";
import { applyEntry } from "./apply.ts";
import { loadState, saveState } from "./snapshot.ts";
import { type App, emptyState, type State } from "./state.ts";

/** A state with one app, as its log leaves it. */
function stateWith(lines: string[], counts: readonly number[]): { state: State; app: App } {
  const rig = new Rig();
  rig.apply("web", manifestOf("web", lines));
  const state = emptyState();
  for (const entry of rig.log) applyEntry(state, entry);
  for (const count of counts) {
    const scale = [{ app: "web", count }];
    const body = {
      kind: "decision",
      place: [],
      leave: [],
      gone: [],
      scale,
      reasons: ["x"],
    } as const;
    assertEquals(applyEntry(state, nextEntry(state.head, 1, body)), ["web"]);
  }
  return { state, app: state.apps.get("web")! };
}

const wanted = (lines: string[], ...counts: number[]) => wantedOf(stateWith(lines, counts).app);

const SCALE = ["replicas 3", "scale {", "  min 2", "  max 5", "}"];
const ROUTED = ["port 80", "route {", "  path /", "}"];
const IDLE = [...ROUTED, "scale {", "  min 2", "  max 5", "  idle-after 10m", "}"];

Deno.test("wantedOf() is the manifest's number until another was decided", () => {
  assertEquals(wanted(["replicas 3"]), 3);
  assertEquals(wanted(["replicas 3"], 7), 7);
  assertEquals(wanted(SCALE), 3);
  assertEquals(wanted(SCALE, 4), 4);
});

Deno.test("wantedOf() stays within the bounds of scale", () => {
  assertEquals(wanted(SCALE, 9), 5);
  assertEquals(wanted(SCALE, 1), 2);
  assertEquals(wanted(SCALE, 0), 2);
  assertEquals(wanted(IDLE), 2);
});

Deno.test("wantedOf() is none for an idle app only where it may idle", () => {
  assertEquals(wanted(IDLE, 0), 0);
  assertEquals(wanted(IDLE, 0, 1), 2);
});

Deno.test("a decided number outlives a snapshot and a new generation", () => {
  const { state } = stateWith(SCALE, [4]);
  const again = loadState(state.head, saveState(state));
  assert(again);
  assertEquals(wantedOf(again.apps.get("web")!), 4);
});
