// Row 8 on real sockets: datagrams of a conductor are lost, repeated and reordered on their way.

import { assert, assertEquals } from "@std/assert";
import { conductorAt } from "../../cli/conductor.ts";
import { sendSigned } from "../../cli/send.ts";
import { askUdp } from "../../cli/udp.ts";
import { apply, withConductor } from "../../conductor/live/rig_test.ts";
import { createPrng } from "../../core/prng.ts";
import { randomSeed } from "../../core/live/clock.ts";
import { Relay } from "./relay.ts";

/** What the CLI waits for. */
const GIVE_UP_MS = 10_000;
const COMMANDS = 40;

/** Sends commands through a bad way; each must have taken effect once, or not and said so. */
async function through(tcp: boolean, loss: number): Promise<void> {
  const seed = randomSeed();
  console.log(`seed ${seed}`);
  await withConductor(async (conductor, url) => {
    await using relay = new Relay({
      hostname: "127.0.24.1",
      to: conductor.commands,
      loss,
      repeat: 0.5,
      delayMs: 60,
      tcp,
      prng: createPrng(seed),
    });
    const target = conductorAt(relay.address, GIVE_UP_MS);
    const began = performance.now();
    let slowestMs = 0;
    const replies = new Map<string, string>();
    // A few at a time: a source address may have only so many signatures verified in a second.
    for (let from = 0; from < COMMANDS; from += 8) {
      await Promise.all(Array.from({ length: 8 }, async (_, at) => {
        const app = `app-${from + at}`;
        const sentMs = performance.now();
        const signed = apply(app);
        const reply = tcp
          ? await sendSigned(target, signed, GIVE_UP_MS)
          : await askUdp(relay.address, signed, { timeoutMs: GIVE_UP_MS, repeat: true });
        replies.set(app, reply ?? "");
        slowestMs = Math.max(slowestMs, performance.now() - sentMs);
      }));
    }
    const { apps } = await (await fetch(`${url}/api/apps`)).json();
    const generations = new Map<string, number>(
      apps.map((each: { app: string; generation: number }) => [each.app, each.generation]),
    );
    let answered = 0;
    for (const [app, reply] of replies) {
      if (reply === "") continue;
      answered++;
      assertEquals([reply, generations.get(app)], [`OK|APPLIED|${app}|1`, 1]);
    }
    for (const [app, generation] of generations) assertEquals(generation, 1, app);
    const { lost, repeated } = relay.counters;
    console.log(
      `${answered} of ${COMMANDS} answered, the slowest after ${Math.round(slowestMs)} ms; ` +
        `${lost} datagrams lost, ${repeated} repeated, ${Math.round(performance.now() - began)} ms`,
    );
    assert(lost + repeated > COMMANDS / 4, "the way was too good: void");
    assert(answered >= (tcp ? COMMANDS : COMMANDS - 2), `only ${answered} were answered`);
    assert(slowestMs < GIVE_UP_MS + 1_000, "somebody waited for longer than said");
  }, { bind: "127.0.24.2", plain: ["127.0.24.0/24"] });
}

for (const loss of [0, 0.3]) {
  const way = `at ${loss * 100} % loss and 50 % repetition, reordered`;
  Deno.test(`${way}: each command of the CLI takes effect once`, () => through(true, loss));
  Deno.test(`${way}: each by datagrams alone takes effect once, or none is told`, () =>
    through(false, loss));
}
