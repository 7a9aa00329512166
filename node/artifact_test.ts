import { assertEquals, assertStringIncludes } from "@std/assert";
import { ARTIFACT_RETRY_MIN_MS } from "../core/limits.ts";
import { placeOf } from "./artifact.ts";
import { FakeWorld } from "./fake_world.ts";

const SHA256 = "5".repeat(64);
const APP = `  exec \${ARTIFACT}/bin/web
  args --data \${ARTIFACT}/data
  artifact {
    from   dist/
    sha256 ${SHA256}
    bytes  1000
    form   folder
  }`;

Deno.test("a replica waits for its artifact, says why, asks again, and starts from its folder", () => {
  const world = new FakeWorld({ artifacts: "/state/artifacts" });
  world.lacking = "the conductor: it sends nothing";
  world.start();
  world.record(1, "web", APP);
  world.run("web-1", "web", 1);
  const waiting = world.statuses.get("web-1");
  assertEquals([waiting?.state, waiting?.reason], ["waiting", world.lacking]);
  const fetches = () => world.effects.filter((each) => each.do === "fetch").length;
  assertEquals(fetches(), 1);
  world.advance(ARTIFACT_RETRY_MIN_MS);
  assertEquals(fetches(), 2);
  world.advance(ARTIFACT_RETRY_MIN_MS);
  assertEquals(fetches(), 2, "the wait doubles");
  world.lacking = null;
  world.advance(ARTIFACT_RETRY_MIN_MS);
  assertEquals(fetches(), 3);
  const launch = world.effects.find((each) => each.do === "launch");
  const { exec = "", args = [] } = launch?.do === "launch" ? launch.plan : {};
  assertEquals(exec, `/state/artifacts/${SHA256}.${exec.split(".")[1]?.slice(0, 8)}/bin/web`);
  assertEquals(args[1], exec.replace("/bin/web", "/data"));
  assertEquals(world.statuses.get("web-1")?.reason, undefined);
  assertEquals([...world.machine.artifactFolders()], [exec.replace("/bin/web", "")]);
});

Deno.test("its artifact is seen to at every start, and what was changed is told until it is ready", () => {
  const world = new FakeWorld({ artifacts: "/state/artifacts" }).start();
  world.record(1, "web", APP);
  world.run("web-1", "web", 1);
  const fetches = () => world.effects.filter((each) => each.do === "fetch").length;
  assertEquals([fetches(), world.statuses.get("web-1")?.reason], [1, undefined]);
  world.die("web-1");
  assertEquals([fetches(), world.statuses.get("web-1")?.restarts], [2, 1], "at once");
  world.changed = "web has 7 bytes";
  world.manual = true;
  world.die("web-1");
  world.advance(60_000);
  const next = (kind: string) => world.pending.find((each) => each.do === kind)!;
  assertEquals([fetches(), next("launch")], [3, undefined], "nothing starts before it is seen to");
  world.answer(next("fetch"));
  const reason = "its artifact was changed on this node: web has 7 bytes; it was replaced";
  assertEquals(world.statuses.get("web-1")?.reason, reason);
  world.answer(next("launch"));
  assertEquals(world.statuses.get("web-1")?.reason, reason);
  world.manual = false;
  world.advance(60_000);
  const { state, reason: after } = world.statuses.get("web-1")!;
  assertEquals([state, after], ["ready", undefined]);
});

Deno.test("a replica whose artifact was changed and is not to be had says both", () => {
  const world = new FakeWorld({ artifacts: "/state/artifacts" }).start();
  world.changed = "web is missing";
  world.lacking = "nobody has it";
  world.record(1, "web", APP);
  world.run("web-1", "web", 1);
  const waiting = world.statuses.get("web-1");
  assertEquals(waiting?.state, "waiting");
  assertEquals(
    waiting?.reason,
    "its artifact was changed on this node: web is missing; nobody has it",
  );
  assertEquals(world.effects.some((each) => each.do === "launch"), false);
});

Deno.test("a replica that waits for its artifact can be stopped", () => {
  const world = new FakeWorld();
  world.manual = true;
  world.start();
  world.record(1, "web", APP);
  world.answer(world.pending[0]!);
  world.run("web-1", "web", 1);
  const fetch = world.pending.find((each) => each.do === "fetch")!;
  world.stop("web-1");
  world.answer(fetch);
  assertEquals(world.effects.some((each) => each.do === "launch"), false);
});

Deno.test("an artifact without a signed digest is refused", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", "  artifact {\n    from dist\n  }");
  world.run("web-1", "web", 1);
  assertStringIncludes(world.take("run-refused")[0]?.reason ?? "", "no digest");
});

Deno.test("placeOf() says where the content stands", () => {
  assertEquals(placeOf({ form: "file", from: "target/release/web" }), "web");
  assertEquals(placeOf({ form: "file", from: "web", to: "bin/server" }), "bin/server");
  assertEquals(placeOf({ form: "folder", from: "dist/" }), "");
  assertEquals(placeOf({ form: "folder", from: "dist", to: "site/" }), "site");
});
