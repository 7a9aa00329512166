// SCALE.md against the formulas and bounds of the code.

import { assert, assertEquals } from "@std/assert";
import { beatEveryMs, deadAfterMs } from "../conductor/fleet/fleet.ts";
import { statusPieces } from "../conductor/views/pieces.ts";
import { saveState } from "../conductor/snapshot.ts";
import {
  BEATS_PER_SECOND,
  PROBES_BEFORE_DEATH,
  PROBES_PER_SECOND,
  RECONCILE_REST_US,
  SEAL_FIRSTS_FREE,
} from "../core/limits.ts";
import { SimulatedFleet } from "../bench/simulated_fleet.ts";

const page = (await Deno.readTextFile(new URL("SCALE.md", import.meta.url))).replace(/\s+/g, " ");

/** The page says so. */
function says(text: string): void {
  assert(page.includes(text), `SCALE.md does not say "${text}"`);
}

const seconds = (ms: number) => (ms / 1_000).toFixed(1);
const thousands = (count: number) => count.toLocaleString("en-US");

Deno.test("SCALE.md has the bounds that the code has", () => {
  says(`${BEATS_PER_SECOND} a second at most; more nodes beat more slowly`);
  says(`${thousands(PROBES_PER_SECOND)} a second at most, however many are`);
  says(`let in ${SEAL_FIRSTS_FREE} times a second`);
  assertEquals(beatEveryMs(200), beatEveryMs(1));
  assert(beatEveryMs(201) > beatEveryMs(200));
  says(
    `${seconds(deadAfterMs(200))} s up to 200 nodes, ${
      seconds(deadAfterMs(1_000))
    } s with 1,000, ` +
      `${seconds(deadAfterMs(10_000))} s with 10,000`,
  );
  assertEquals(1_000_000 / (10_000 * RECONCILE_REST_US), 5);
  says("an app of 10,000 replicas is compared at most five times a second");
  // Each wants its probes and, while there are witnesses, as many words to two of them.
  const shareS = 5_000 * PROBES_BEFORE_DEATH * 2 / PROBES_PER_SECOND;
  assertEquals(shareS, 20);
  says("about 20 s more than for one node");
});

Deno.test("SCALE.md has the size of a snapshot and of the status, and where a text ends", () => {
  const fleet = new SimulatedFleet(100);
  for (let app = 0; app < 10; app++) {
    fleet.apply(`app-${app}`, 1_000);
    fleet.answer();
  }
  const { machine } = fleet;
  const replicas = machine.state.replicas.size;
  const snapshot = saveState(machine.state).length / replicas;
  const brief = { replicas: true, grants: null };
  const pieces = [...statusPieces(machine, "1", brief, () => fleet.now())];
  const status = pieces.reduce((sum, piece) => sum + piece.length, 0) / replicas;
  const [, saidSnapshot] = /(\d+) bytes and [\d.]+ µs for each replica/.exec(page) ?? [];
  const [, saidStatus] = /(\d+) bytes for each replica, made in pieces/.exec(page) ?? [];
  // Names and counts have other lengths in another cluster.
  for (const [said, is] of [[saidSnapshot, snapshot], [saidStatus, status]] as const) {
    assert(Math.abs(Number(said) / is - 1) < 0.15, `${said} are said, ${is} are measured`);
  }
  assert(Math.max(...pieces.map((piece) => piece.length)) < 1_000_000, "no piece is large");
  const end = 2 ** 29 / Number(saidSnapshot);
  assertEquals((end / 1e6).toFixed(1), "3.3");
  says("at 3.2 million replicas a snapshot fails");
});
