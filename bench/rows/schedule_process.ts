// One run of the row `schedule`, in a process of its own with room for two million replicas.
// Arguments: nodes, replicas, nodes to lose. Prints lines of progress and then a line of JSON.

import { SimulatedFleet } from "../simulated_fleet.ts";

/** Replicas of one app. */
const APP_REPLICAS = 10_000;
/** A line of progress comes after so many. */
const TELL_REPLICAS = 100_000;

const [nodes = 0, replicas = 0, lost = 0] = Deno.args.map(Number);
const fleet = new SimulatedFleet(nodes);
let placeMs = 0;
let answerMs = 0;

for (let placed = 0; placed < replicas;) {
  const count = Math.min(APP_REPLICAS, replicas - placed);
  placeMs += fleet.spent(() => fleet.apply(`app-${placed / APP_REPLICAS}`, count));
  answerMs += fleet.spent(() => fleet.answer());
  placed += count;
  if (placed % TELL_REPLICAS === 0) {
    console.log(`${placed} of ${replicas} replicas in ${Math.round(placeMs + answerMs)} ms`);
  }
}
expectReady();
const moved = fleet.replicasOn(lost);
const loseMs = fleet.spent(() => fleet.lose(lost));
expectReady();
const { rss: rssBytes } = Deno.memoryUsage();
console.log(JSON.stringify({ placeMs, answerMs, loseMs, moved, rssBytes }));

function expectReady(): void {
  const ready = fleet.ready();
  if (ready !== replicas) throw new Error(`${ready} of ${replicas} replicas are ready`);
}
