import { assertEquals, assertStringIncludes } from "@std/assert";
import { PROBE_MIN_MS } from "../core/limits.ts";
import { FakeWorld, NODE } from "./fake_world.ts";

const FROM = { hostname: "10.0.0.9", port: 4_000 };

function say(world: FakeWorld, text: string, open = true): string[] {
  world.plain.length = 0;
  world.event({ on: "plain", text, from: FROM, open });
  return world.plain;
}

Deno.test("PING and STATUS answer as v1 has it", () => {
  const world = new FakeWorld().start();
  assertEquals(say(world, "PING", false), [`OK|PONG|${NODE}`]);
  assertEquals(say(world, "STATUS", false), ["OK|STATUS|0|"]);
  world.record(1, "web");
  world.run("web-1", "web", 1);
  world.run("web-2", "web", 1, 1);
  assertEquals(say(world, "STATUS"), ["OK|STATUS|2|web:101,web:102"]);
  assertEquals(say(world, "NONSENSE"), ["ERR|unknown command"]);
});

Deno.test("LAUNCH is answered with the pid, a repetition launches nothing", () => {
  const world = new FakeWorld().start();
  const launch = "LAUNCH|name=old|bin=/bin/old|port=9001|restart=never";
  assertEquals(say(world, launch), ["OK|LAUNCHED|old|101"]);
  assertEquals(say(world, launch), ["OK|LAUNCHED|old|101"]);
  assertEquals(world.processes.size, 1);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.take("register").flatMap((each) => each.endpoints).map((each) => each.port), [
    9001,
  ]);
  // The conductor does not hear of it.
  assertEquals([world.take("status"), world.statuses.size], [[], 0]);
});

Deno.test("LAUNCH that cannot start, or has no port, fails and is not tried again", () => {
  const world = new FakeWorld().start();
  world.broken.set("/bin/nope", "/bin/nope does not exist on this node");
  assertEquals(say(world, "LAUNCH|name=a|bin=/bin/nope|port=0"), [
    "ERR|LAUNCH failed: /bin/nope does not exist on this node",
  ]);
  world.takenPorts.add(9001);
  assertStringIncludes(say(world, "LAUNCH|name=b|bin=/bin/b|port=9001")[0]!, "port 9001 is fixed");
  world.takenPorts.clear();
  world.broken.clear();
  world.advance(60_000);
  assertEquals(world.processes.size, 0);
});

Deno.test("KILL ends what has the name, and says when nothing has", () => {
  const world = new FakeWorld({ tower: null }).start();
  say(world, "LAUNCH|name=old|bin=/bin/old|port=0");
  assertEquals(say(world, "KILL|old"), ["OK|KILLED|old"]);
  assertEquals(world.processes.size, 0);
  assertEquals(say(world, "KILL|old"), ["ERR|not found: old"]);
  assertEquals(say(world, "LAUNCH|name=old|bin=/bin/old|port=0"), ["OK|LAUNCHED|old|102"]);
});

Deno.test("commands that act are not even answered unless the mesh is open", () => {
  const world = new FakeWorld().start();
  assertEquals(say(world, "LAUNCH|name=old|bin=/bin/old|port=0", false), []);
  assertEquals(say(world, "KILL|old", false), []);
  assertEquals(world.processes.size, 0);
});
