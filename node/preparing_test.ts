import { assertEquals, assertStringIncludes } from "@std/assert";
import { PREPARE_AGAIN_MS, PREPARED_FRESH_MS } from "../core/limits.ts";
import { FakeWorld, NODE } from "./fake_world.ts";

const ARTIFACT = `  exec \${ARTIFACT}/web
  artifact {
    from   web
    sha256 ${"5".repeat(64)}
    bytes  1000
    form   file
  }`;

function ask(world: FakeWorld, sequence: number, generation = sequence): void {
  world.mesh({ k: "prepare", node: NODE, app: "web", generation, sequence });
}

const answers = (world: FakeWorld) =>
  world.take("prepared").map(({ sequence, state, reason }) =>
    [sequence, state, ...(reason === undefined ? [] : [reason])].join(" ")
  );

const did = (world: FakeWorld, kind: string) =>
  world.effects.filter((each) => each.do === kind).length;

Deno.test("a generation is looked into without being started, once, and told again when asked", () => {
  const world = new FakeWorld({ artifacts: "/state/artifacts" }).start();
  world.record(1, "web", ARTIFACT);
  ask(world, 1);
  assertEquals(answers(world).at(-1), "1 ok");
  ask(world, 1);
  assertEquals(answers(world).at(-1), "1 ok");
  assertEquals([did(world, "fetch"), did(world, "check-program"), did(world, "launch")], [1, 1, 0]);
  assertEquals(world.machine.artifactFolders().size, 1, "it stays until it is run from");
  world.advance(PREPARED_FRESH_MS);
  ask(world, 1);
  assertEquals([answers(world).at(-1), did(world, "check-program")], ["1 ok", 2]);
});

Deno.test("it waits for the record, and says that it is at it", () => {
  const world = new FakeWorld().start();
  ask(world, 2);
  assertEquals(answers(world), ["2 working"]);
  world.record(2, "web");
  assertEquals(answers(world), ["2 ok"]);
});

Deno.test("a record that is not what was asked for, or not to be started, is refused", () => {
  const world = new FakeWorld().start();
  world.record(1, "api");
  ask(world, 1);
  assertEquals(answers(world), ["1 failed record 1 is of api"]);
  world.record(2, "web");
  world.record(3, "web");
  ask(world, 2);
  assertStringIncludes(answers(world)[0]!, "2 failed generation 2 of web is not to be started");
  ask(world, 3);
  assertEquals(answers(world).at(-1), "3 ok");
});

Deno.test("what is missing is told with its reason, and looked for again when asked again", () => {
  const world = new FakeWorld({ artifacts: "/state/artifacts" }).start();
  world.lacking = "artifact 555555555555 needs 64 MiB of disk, 1 MiB are free";
  world.record(1, "web", ARTIFACT);
  ask(world, 1);
  assertEquals(answers(world), ["1 working", `1 failed ${world.lacking}`]);
  world.lacking = null;
  ask(world, 1);
  assertStringIncludes(answers(world)[0]!, "1 failed", "not at once");
  world.advance(PREPARE_AGAIN_MS);
  ask(world, 1);
  assertEquals(answers(world).at(-1), "1 ok");
  world.broken.set("/bin/web", "/bin/web is built for aarch64, this node is x86_64");
  world.record(2, "web");
  ask(world, 2);
  assertEquals(
    answers(world).at(-1),
    "2 failed /bin/web is built for aarch64, this node is x86_64",
  );
});

Deno.test("a replica of the app is none of its business", () => {
  const world = new FakeWorld({ artifacts: "/state/artifacts" });
  world.start();
  world.record(1, "web");
  world.run("web", "web", 1);
  world.record(2, "web", ARTIFACT);
  world.lacking = "the conductor: it sends nothing";
  ask(world, 2);
  assertStringIncludes(answers(world).at(-1)!, "2 failed");
  const status = world.statuses.get("web");
  assertEquals([status?.state === "finished", status?.reason], [false, undefined]);
});

Deno.test("a fixed port is to be had: nobody has it, or the app's own replica", () => {
  const world = new FakeWorld().start();
  const fixed = "  port 8001 fixed";
  world.record(1, "web", fixed);
  ask(world, 1);
  assertEquals(answers(world).at(-1), "1 ok");
  world.takenPorts.add(8001);
  world.advance(PREPARED_FRESH_MS);
  ask(world, 1);
  assertEquals(answers(world).at(-1), "1 failed port 8001 is taken");

  world.takenPorts.delete(8001);
  world.run("web.1", "web", 1);
  world.takenPorts.add(8001);
  world.record(2, "web", fixed);
  ask(world, 2);
  assertEquals(answers(world).at(-1), "2 ok", "its own replica listens there, and will be stopped");

  world.record(3, "api", fixed);
  world.mesh({ k: "prepare", node: NODE, app: "api", generation: 3, sequence: 3 });
  assertEquals(answers(world).at(-1), "3 failed port 8001 is fixed and held by web.1 there");

  world.record(4, "free", "  port 8001");
  world.mesh({ k: "prepare", node: NODE, app: "free", generation: 4, sequence: 4 });
  assertEquals(answers(world).at(-1), "4 ok", "any other port does as well");
});
