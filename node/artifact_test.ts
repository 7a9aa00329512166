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
