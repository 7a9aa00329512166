import { assert, assertEquals } from "@std/assert";
import { REFUSALS_TOLD, REFUSALS_TOLD_ALL, VERIFY_PER_SECOND } from "../core/limits.ts";
import { UNAUTHORIZED } from "../core/wire.ts";
import { MALLORY, manifestOf, OPERATOR, Rig, STRANGER } from "./rig_test.ts";

const UDP = { via: "udp", address: "127.0.0.1" } as const;

/** A rig with `web` running, so that every verb has something to work on. */
function withWeb(options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const rig = new Rig(options);
  rig.addNode(1);
  rig.live(1_000);
  assertEquals(rig.apply("web", manifestOf("web")), "OK|APPLIED|web|1");
  rig.live(1_000);
  return rig;
}

const down = (rig: Rig, id = "down-again", at = rig.unixS) =>
  rig.signed({ verb: "DOWN", id, app: "web" }, at);

/** How often the log has the command. */
const executed = (rig: Rig, verb: string) =>
  rig.log.filter((entry) =>
    entry.body.kind === "command" && entry.body.signed.text.startsWith(`${verb}|`)
  ).length;

Deno.test("an unsigned, badly signed or ill-timed command is refused alike and recorded exactly", () => {
  const cases: [name: string, text: (rig: Rig) => string, why: string][] = [
    [
      "signed by a stranger, expired",
      (rig) => rig.signed("EVICT|web", rig.unixS - 31, MALLORY),
      "its time is 31 s behind this clock",
    ],
    [
      "a read, expired",
      (rig) => rig.signed("NODES", rig.unixS - 31),
      "its time is 31 s behind this clock",
    ],
    ["unsigned", () => "EVICT|web", "EVICT came without a signature"],
    ["unsigned with id", () => "DOWN|some-id-1|web", "DOWN came without a signature"],
    [
      "signed by a stranger",
      (rig) => rig.signed("EVICT|web", rig.unixS, MALLORY),
      "no authorised key made its signature",
    ],
    [
      "altered",
      (rig) => rig.signed("EVICT|wex").replace("wex", "web"),
      "no authorised key made its signature",
    ],
  ];
  for (const [name, text, why] of cases) {
    const rig = withWeb();
    const before = rig.log.length;
    assertEquals(rig.ask(text(rig)), UNAUTHORIZED, name);
    assertEquals(rig.told("refused"), [`a command from 127.0.0.1 was refused: ${why}`], name);
    assertEquals(rig.log.length, before, name);
    assertEquals(rig.machine.state.apps.get("web")!.down, false, name);
  }
});

Deno.test("a command that is refused for its time stays refused when its time has come", () => {
  for (const offS of [-288, -61, -31, 31, 61, 288, 86_400]) {
    for (const restarts of [false, true]) staysRefused(offS, restarts);
  }
});

function staysRefused(offS: number, restarts: boolean): void {
  const rig = withWeb();
  const text = rig.signed("EVICT|web", rig.unixS + offS);
  const before = rig.log.length;
  assertEquals(rig.ask(text), UNAUTHORIZED, `${offS} s`);
  assertEquals(rig.log.slice(before).map((entry) => entry.body.kind), ["refused"]);
  const told = rig.told("command-refused").join();
  const side = offS > 0 ? "ahead of" : "behind";
  const why = `EVICT web: its time is ${Math.abs(offS)} s ${side} this clock`;
  assert(told.includes(`from 127.0.0.1: ${why}`), told);
  assertEquals(rig.ask(text), UNAUTHORIZED);
  assertEquals(rig.log.length, before + 1, "a copy of it is not written down again");
  if (restarts) rig.restart();
  // What is said meanwhile is forgotten in its time, and takes this one's mark with it or not.
  for (let at = 0; at < 5; at++) {
    assertEquals(rig.apply("web", manifestOf("web"))!.slice(0, 10), "OK|APPLIED");
    rig.live(30_000);
  }
  assert(rig.machine.state.answered.size < 7, `${rig.machine.state.answered.size} marks`);
  rig.wallMs = Number(text.split("|")[2]) * 1_000 - 32_000;
  for (let at = 0; at < 32; at++) {
    assertEquals(rig.ask(text), UNAUTHORIZED, `${offS} s, ${at} s`);
    rig.live(2_000);
  }
  assertEquals(executed(rig, "EVICT"), 0);
}

Deno.test("who repeats what was executed hears so, though a clock was set meanwhile", () => {
  for (const stepS of [-288, -40, 40, 288]) {
    const rig = withWeb();
    const text = down(rig);
    assertEquals(rig.ask(text), "OK|DOWN|web");
    rig.wallMs += stepS * 1_000;
    assertEquals(rig.ask(text), "OK|DOWN|web", `${stepS} s`);
    assertEquals(executed(rig, "DOWN"), 1);
  }
});

Deno.test("a command at the edge of the window is taken", () => {
  for (const offS of [-30, 30]) {
    const rig = withWeb();
    assertEquals(rig.ask(rig.signed("EVICT|web", rig.unixS + offS)), "OK|EVICTED|web");
  }
});

Deno.test("a v1 command is executed once: its replay is refused, in flight, after, and after a restart", () => {
  const rig = withWeb();
  const evict = rig.signed("EVICT|web");
  rig.holdAppends = true;
  const first = rig.send(evict, UDP);
  assertEquals(rig.replies.get(first), undefined, "nobody hears before it is durable");
  assertEquals(rig.ask(evict), UNAUTHORIZED);
  rig.release();
  assertEquals(rig.replies.get(first), "OK|EVICTED|web");
  assertEquals(rig.ask(evict), UNAUTHORIZED);
  rig.live(1_000);
  rig.apply("web", manifestOf("web"));
  rig.restart();
  assertEquals(rig.ask(evict), UNAUTHORIZED);
  assertEquals(rig.ask(evict.slice(0, -6618) + evict.slice(-6618).toUpperCase()), UNAUTHORIZED);
  assertEquals(executed(rig, "EVICT"), 1);
  assertEquals(rig.machine.state.apps.get("web")!.down, false);
  assertEquals(rig.told("refused").slice(-3), [
    "a command from 127.0.0.1 was refused: it was executed before (a replay)",
    "a command from 127.0.0.1 was refused: it was executed before (a replay)",
    "a command from 127.0.0.1 was refused: it was executed before (a replay)",
  ]);
});

for (const stepS of [60, 288]) {
  Deno.test(`a clock that steps back ${stepS} s lets no replay in, marks forgotten or not`, () => {
    const rig = withWeb();
    const texts: string[] = [];
    for (let at = 0; at < 400; at += 20) {
      const evict = rig.signed(`EVICT|web`);
      texts.push(evict);
      assertEquals(rig.ask(evict), "OK|EVICTED|web", `at ${at} s`);
      assert(rig.apply("web", manifestOf("web"))!.startsWith("OK|"), `at ${at} s`);
      rig.live(1_000);
      rig.monoMs += 19_000;
      rig.wallMs += 19_000;
      rig.live(1_000);
    }
    assert(rig.machine.state.forgottenUnixS > 0, "some marks were forgotten");
    const before = rig.log.filter((entry) => entry.body.kind === "command").length;
    for (const again of [false, true]) {
      rig.wallMs -= stepS * 1_000;
      if (again) rig.restart();
      // Every second of the way back up, everything ever sent is tried again.
      for (let at = 0; at < stepS; at += 5) {
        for (const text of texts.toReversed()) assertEquals(rig.ask(text), UNAUTHORIZED);
        rig.wallMs += 5_000;
      }
    }
    assertEquals(rig.log.filter((entry) => entry.body.kind === "command").length, before);
    rig.wallMs = Number(texts[0]!.split("|")[2]) * 1_000;
    assertEquals(rig.ask(texts[0]!, { via: "tcp", address: "127.0.0.2" }), UNAUTHORIZED);
    assertEquals(
      rig.told("refused").at(-1),
      "a command from 127.0.0.2 was refused: its time lies before what the replay guard remembers",
    );
  });
}

Deno.test("a command that failed is not executed by a late copy, even when the clock steps back", () => {
  const rig = withWeb();
  rig.diskError = "disk full";
  const evict = rig.signed("EVICT|web");
  assertEquals(rig.ask(evict), "ERR|STORE|disk full");
  rig.diskError = null;
  rig.live(2_000);
  assertEquals(rig.ask(evict), UNAUTHORIZED);
  rig.live(90_000);
  rig.wallMs -= 90_000;
  assertEquals(rig.ask(evict), UNAUTHORIZED);
  assertEquals(executed(rig, "EVICT"), 0);
});

Deno.test("a repeated id gets the first reply and is executed once", () => {
  const rig = withWeb();
  const text = down(rig);
  assertEquals(rig.ask(text), "OK|DOWN|web");
  rig.live(1_000);
  rig.apply("web", manifestOf("web"));
  assertEquals(rig.ask(text), "OK|DOWN|web");
  assertEquals(rig.ask(down(rig, "down-again", rig.unixS + 5)), "OK|DOWN|web", "signed anew");
  rig.restart();
  assertEquals(rig.ask(text), "OK|DOWN|web");
  assertEquals(rig.ask(down(rig, "down-again", rig.unixS + 9)), "OK|DOWN|web");
  assertEquals(executed(rig, "DOWN"), 1);
  assertEquals(rig.machine.state.apps.get("web")!.down, false);
});

Deno.test("a repeat that was signed anew much later is not executed either", () => {
  const rig = withWeb();
  rig.ask(down(rig));
  rig.live(15_000);
  const late = down(rig, "down-again", rig.unixS);
  assertEquals(rig.ask(late), "OK|DOWN|web");
  rig.apply("web", manifestOf("web"));
  rig.live(25_000);
  rig.apply("web", manifestOf("web"));
  assertEquals(rig.ask(late), "OK|DOWN|web", "the first one's mark is forgotten by now");
  assertEquals(executed(rig, "DOWN"), 1);
});

Deno.test("the same id while the first is in flight waits for its reply, also signed anew", () => {
  const rig = withWeb();
  rig.holdAppends = true;
  const texts = [down(rig), down(rig), down(rig, "down-again", rig.unixS + 1)];
  const replies = texts.map((text, at) => rig.send(text, at === 0 ? UDP : OPERATOR));
  assertEquals(replies.map((reply) => rig.replies.get(reply)), [undefined, undefined, undefined]);
  rig.release();
  assertEquals(replies.map((reply) => rig.replies.get(reply)), Array(3).fill("OK|DOWN|web"));
  assertEquals(executed(rig, "DOWN"), 1);
});

Deno.test("the same id that failed in flight stays failed in each of its copies", () => {
  const rig = withWeb();
  rig.holdAppends = true;
  const texts = [down(rig), down(rig, "down-again", rig.unixS + 1)];
  const replies = texts.map((text) => rig.send(text));
  rig.diskError = "disk full";
  rig.release();
  rig.diskError = null;
  rig.live(2_000);
  for (const reply of replies) assertEquals(rig.replies.get(reply), "ERR|STORE|disk full");
  for (const text of texts) assertEquals(rig.ask(text), "ERR|STORE|disk full");
  assertEquals(executed(rig, "DOWN"), 0);
});

Deno.test("the same command by UDP and TCP at once is verified twice and executed once", () => {
  const rig = withWeb();
  rig.holdVerifies = true;
  const text = down(rig);
  const replies = [rig.send(text, UDP), rig.send(text, OPERATOR)];
  rig.release();
  assertEquals(replies.map((reply) => rig.replies.get(reply)), ["OK|DOWN|web", "OK|DOWN|web"]);
  assertEquals(executed(rig, "DOWN"), 1);
});

Deno.test("a source over its budget is ignored by UDP and answered by TCP", () => {
  const rig = withWeb();
  const source = { via: "udp", address: "203.0.113.1" } as const;
  for (let count = 0; count < VERIFY_PER_SECOND; count++) {
    assertEquals(rig.ask(rig.signed("EVICT|x", rig.unixS, MALLORY), source), UNAUTHORIZED);
  }
  const verified = () => rig.effects.filter((effect) => effect.do === "verify").length;
  const before = verified();
  assertEquals(rig.ask(down(rig), source), null);
  assertEquals(verified(), before);
  assertEquals(rig.ask(down(rig), { via: "tcp", address: source.address }), "OK|DOWN|web");
  rig.monoMs += 1_000;
  rig.wallMs += 1_000;
  assertEquals(rig.ask(down(rig), source), "OK|DOWN|web", "a second later it has its budget again");
});

Deno.test("forged sources without number leave TCP its answers, and bound what is verified", () => {
  const rig = withWeb();
  const forged = rig.signed("EVICT|web", rig.unixS, MALLORY);
  let verified = 0;
  for (let count = 0; count < 12_000; count++) {
    const address = `100.${count >> 16 & 255}.${count >> 8 & 255}.${count & 255}`;
    if (rig.ask(forged, { via: "udp", address }) !== null) verified++;
  }
  assert(verified <= 500, `${verified} of 12000 forged commands were verified within no time`);
  assertEquals(rig.ask(down(rig)), "OK|DOWN|web");
});

Deno.test("refusals are told one by one up to a bound, then summed up", () => {
  const rig = withWeb();
  for (let count = 0; count < 1_000; count++) rig.ask("EVICT|web");
  assertEquals(rig.told("refused").length, REFUSALS_TOLD);
  rig.live(61_000);
  assertEquals(
    rig.told("refused").at(-1),
    `${1_000 - REFUSALS_TOLD} more commands from 127.0.0.1 were refused`,
  );
  const before = rig.told("refused").length;
  for (let count = 0; count < 15_000; count++) {
    rig.ask("EVICT|web", { via: "udp", address: `100.0.${count >> 8}.${count & 255}` });
  }
  rig.live(121_000);
  const told = rig.told("refused").slice(before);
  assert(told.length <= REFUSALS_TOLD_ALL + 2 * REFUSALS_TOLD, `${told.length} lines`);
  assertEquals(
    told.at(-1),
    `${15_000 - REFUSALS_TOLD_ALL} more commands from many sources were refused`,
  );
});

Deno.test("to a stranger no UDP reply is larger than its request", () => {
  const rig = withWeb({ plain: ["10.0.0.0/8"] });
  const requests = [
    "",
    "X",
    "PING",
    "NODES",
    "LIST",
    "LOGS|web",
    "EVICT|web",
    "SUBMIT|/x",
    `EVICT|${"w".repeat(200)}`,
    rig.signed("EVICT|web", rig.unixS, MALLORY),
    rig.signed("NOPE|web"),
    `junk|${"x".repeat(9_000)}`,
  ];
  for (const request of requests) {
    const reply = rig.ask(request, STRANGER);
    assert((reply ?? "").length <= request.length, `${request.slice(0, 20)}: ${reply}`);
  }
  assertEquals(rig.ask("PING", STRANGER), null);
  assertEquals(rig.ask("EVICT|web", { ...STRANGER, via: "tcp" }), UNAUTHORIZED);
});

Deno.test("networks given by --plain read by UDP; others do not", () => {
  const rig = withWeb({ plain: ["10.0.0.0/8", "192.0.2.7"] });
  const ping = (address: string) => rig.ask("PING", { via: "udp", address });
  for (
    const address of ["127.0.0.1", "127.9.9.9", "::1", "10.1.2.3", "192.0.2.7", "::ffff:10.1.2.3"]
  ) {
    assertEquals(ping(address), "OK|PONG|conductor", address);
  }
  for (const address of ["11.0.0.1", "192.0.2.8", "::2", "::ffff:11.0.0.1"]) {
    assertEquals(ping(address), null, address);
  }
});

Deno.test("v1 commands are answered as WIRE.md's table has it", () => {
  const rig = withWeb({ manifests: true });
  rig.files.set("/m/late.skr8tr", manifestOf("late"));
  rig.files.set("/m/bad.skr8tr", "app bad {\n  exek /x\n}\n");
  const node = [...rig.nodes.values()][0]!;
  node.become("web.1", "ready", { pid: 4711 });
  const id = node.id;
  const signed = (text: string) => rig.ask(rig.signed(text));
  assertEquals(rig.ask("PING"), "OK|PONG|conductor");
  assertEquals(rig.ask("NODES"), `OK|NODES|1|${id}:10.0.0.1:1:7168`);
  assertEquals(rig.ask("LIST"), `OK|LIST|1|web:${id}:4711`);
  assertEquals(rig.ask("LOGS|web"), "OK|LOGS|web|0|");
  assertEquals(rig.ask("LOGS|nope"), "ERR|not found: nope");
  assertEquals(rig.ask("HELLO"), "ERR|unknown command");
  assertEquals(signed("HELLO"), "ERR|unknown command");
  assertEquals(signed("SUBMIT|/m/late.skr8tr"), `OK|SUBMITTED|late|${id}`);
  assertEquals(signed("ROLLOUT|/m/late.skr8tr"), "OK|ROLLOUT|late|rolling");
  assertEquals(
    signed("SUBMIT|/m/none"),
    "ERR|MANIFEST|no such file",
  );
  assert(signed("SUBMIT|/m/bad.skr8tr")!.startsWith("ERR|MANIFEST|line "));
  assertEquals(signed("EXEC|web|uptime"), "OK|EXEC|web|ran on 10.0.0.1");
  assertEquals(signed("EXEC|nope|uptime"), "ERR|not found: nope");
  assertEquals(signed("EVICT|nope"), "ERR|not found: nope");
  assertEquals(signed("EVICT|web"), "OK|EVICTED|web");
  node.cut = true;
  rig.live(5_000);
  assertEquals(rig.ask("NODES"), "OK|NODES|0|");
  assertEquals(signed("SUBMIT|/m/late.skr8tr"), "OK|SUBMITTED|late|pending (no live nodes)");
});

Deno.test("a GPU shows in NODES", () => {
  const rig = new Rig();
  const node = rig.addNode(1, { gpu: true, cpuPercent: 12.6 });
  assertEquals(rig.ask("NODES"), `OK|NODES|1|${node.id}:10.0.0.1:13:7168:GPU`);
});

Deno.test("SUBMIT by path is off unless the conductor has --manifests", () => {
  const rig = withWeb();
  const reply = rig.ask(rig.signed("SUBMIT|/m/late.skr8tr"))!;
  assert(reply.startsWith("ERR|commands by path are off; start the conductor with --manifests"));
});

Deno.test("APPLY out of turn or with a wrong manifest changes nothing and says why", () => {
  const rig = withWeb();
  const before = executed(rig, "APPLY");
  assertEquals(
    rig.apply("web", manifestOf("web"), 1),
    "ERR|CONFLICT|web is at 1: the next must be 2",
  );
  assertEquals(
    rig.apply("web", manifestOf("web"), 3),
    "ERR|CONFLICT|web is at 1: the next must be 2",
  );
  assertEquals(
    rig.apply("web", manifestOf("other"), 2),
    "ERR|MANIFEST|is of other, the command of web",
  );
  assert(rig.apply("web", "app web {\n nope\n}\n", 2)!.startsWith("ERR|MANIFEST|line "));
  assertEquals(executed(rig, "APPLY"), before);
  assertEquals(rig.told("command-refused").length, 4);
});

Deno.test("while the store fails every command that waits hears so at once", () => {
  const rig = withWeb();
  rig.holdAppends = true;
  const replies = ["one-1111", "two-2222", "three-33"].map((id) => rig.send(down(rig, id)));
  rig.diskError = "disk full";
  rig.release();
  for (const reply of replies) assertEquals(rig.replies.get(reply), "ERR|STORE|disk full");
  assertEquals(rig.machine.state.apps.get("web")!.down, false);
  rig.diskError = null;
  rig.live(1_250);
  assertEquals(rig.ask(down(rig, "four-4444")), "OK|DOWN|web");
});
