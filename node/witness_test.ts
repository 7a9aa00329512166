import { assert, assertEquals } from "@std/assert";
import { WITNESS_REQUESTS } from "../core/limits.ts";
import type { Mesh } from "../core/mesh.ts";
import { Witness, type WitnessSend } from "./witness.ts";

const SELF = { node: "1".repeat(32), boot: "1".repeat(16) };
const SUSPECT = "2".repeat(32);

const ask = (request: string): Mesh<"probe-please"> => ({
  k: "probe-please",
  node: SELF.node,
  request,
  suspect: SUSPECT,
  host: "10.0.0.2",
  port: 7775,
});
const answer = (request: string, by = SUSPECT): Mesh<"probe-ok"> => ({
  k: "probe-ok",
  by,
  boot: "2".repeat(16),
  request,
});

/** Ticks when they are due until this time; what was sent. */
function run(witness: Witness, fromMs: number, untilMs: number): WitnessSend[] {
  const out: WitnessSend[] = [];
  for (let at = fromMs; at <= untilMs; at = Math.max(at + 1, witness.dueMs)) {
    out.push(...witness.tick(at));
  }
  return out;
}

const verdicts = (sends: readonly WitnessSend[]) =>
  sends.flatMap(({ message }) => message.k === "probe-result" ? [message.verdict] : []);
const probes = (sends: readonly WitnessSend[]) =>
  sends.filter(({ message }) => message.k === "probe").length;

Deno.test("Witness probes some times and then says that the suspect is silent", () => {
  const witness = new Witness(SELF);
  witness.please(ask("a"), 0);
  const sends = run(witness, 0, 2_000);
  assertEquals([probes(sends), verdicts(sends)], [4, ["silent"]]);
  assertEquals(sends[0]!.to, { hostname: "10.0.0.2", port: 7775 });
  assertEquals(witness.dueMs, Infinity);
});

Deno.test("Witness says at once that the suspect lives, and says it again when asked again", () => {
  const witness = new Witness(SELF);
  witness.please(ask("a"), 0);
  run(witness, 0, 10);
  witness.alive(answer("a"));
  assertEquals(verdicts(run(witness, 11, 500)), ["alive"]);
  witness.please(ask("a"), 600);
  const again = run(witness, 600, 2_000);
  assertEquals([probes(again), verdicts(again)], [0, ["alive"]]);
});

Deno.test("Witness takes a late answer back to the conductor: the suspect lives after all", () => {
  const witness = new Witness(SELF);
  witness.please(ask("a"), 0);
  assertEquals(verdicts(run(witness, 0, 1_000)), ["silent"]);
  witness.alive(answer("a"));
  assertEquals(verdicts(run(witness, 1_001, 1_100)), ["alive"]);
});

Deno.test("Witness that was held up has no right to accuse", () => {
  const witness = new Witness(SELF);
  witness.please(ask("a"), 0);
  witness.tick(0);
  // SIGSTOP for five seconds: the answers lie in the socket still.
  assertEquals(verdicts(witness.tick(5_000)), ["late"]);
});

Deno.test("Witness takes no answer of another node or to another question", () => {
  const witness = new Witness(SELF);
  witness.please(ask("a"), 0);
  witness.tick(0);
  witness.alive(answer("a", "3".repeat(32)));
  witness.alive(answer("b"));
  assertEquals(verdicts(run(witness, 100, 2_000)), ["silent"]);
});

Deno.test("Witness keeps a bounded number of questions", () => {
  const witness = new Witness(SELF);
  const count = 2 * WITNESS_REQUESTS;
  for (let at = 0; at < count; at++) witness.please(ask(`r${at}`), 0);
  const sends = run(witness, 0, 0);
  assert(probes(sends) <= WITNESS_REQUESTS, `${probes(sends)}`);
});
