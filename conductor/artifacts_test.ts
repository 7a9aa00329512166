import { assertEquals, assertMatch } from "@std/assert";
import { ARTIFACT_SENDS, ARTIFACT_TURN_MS, ARTIFACT_WAITS } from "../core/limits.ts";
import { Rig } from "./rig_test.ts";
import { holdersOf, sendTurn, wantedArtifacts } from "./artifacts.ts";
import { loadState, saveState } from "./snapshot.ts";

const SHA256 = "5".repeat(64);
const manifest = (bytes = 1000, sha256 = SHA256) =>
  `app web {\n  exec \${ARTIFACT}/web\n  artifact {\n    from web\n    sha256 ${sha256}\n` +
  `    bytes ${bytes}\n    form file\n  }\n}\n`;

function upload(rig: Rig, id = "upload-001", bytes = "1000"): string | null | undefined {
  return rig.ask(rig.signed({ verb: "UPLOAD", id, sha256: SHA256, bytes }));
}

Deno.test("an app is applied only with an artifact that was announced, byte for byte", () => {
  const rig = new Rig();
  const node = rig.addNode(1);
  rig.live(4_000);
  assertMatch(rig.apply("web", manifest()) ?? "", /^ERR\|MANIFEST\|artifact 5+ was never uploaded/);
  const bare = "app web {\n  exec ${ARTIFACT}/web\n  artifact {\n    from web\n  }\n}\n";
  assertMatch(rig.apply("web", bare) ?? "", /^ERR\|MANIFEST\|its artifact has no digest/);
  assertEquals(upload(rig), `OK|UPLOAD|${SHA256}`);
  assertMatch(rig.apply("web", manifest(999)) ?? "", /1000 bytes, the manifest says 999/);
  assertEquals(rig.apply("web", manifest()), "OK|APPLIED|web|1");
  assertEquals(rig.places("web"), [`web.1@${node.name}`]);
  assertMatch(upload(rig, "upload-002", "99999999999999") ?? "", /^ERR\|TOO-LARGE/);
});

Deno.test("announcements survive a restart and a snapshot", () => {
  const rig = new Rig();
  upload(rig);
  rig.restart();
  const known = { bytes: 1000, id: "upload-001", wallMs: rig.wallMs };
  assertEquals(rig.machine.state.artifacts.get(SHA256), known);
  const loaded = loadState(rig.machine.state.head, saveState(rig.machine.state));
  assertEquals(loaded?.artifacts.get(SHA256), known);
});

Deno.test("a node is told of the others that run from the artifact it is to fetch", () => {
  const rig = new Rig();
  const nodes = [rig.addNode(1), rig.addNode(2)];
  rig.live(4_000);
  upload(rig);
  rig.apply("web", manifest());
  const sources = () =>
    rig.sent.flatMap(({ message }) => message.k === "run" ? [message.sources ?? []] : []);
  assertEquals(sources(), [[]]);
  rig.apply("web", manifest().replace("  exec", "  replicas 2\n  exec"));
  rig.live(1_000);
  // The third is ordered together with the second, whose node has not said yet that it has it.
  assertEquals(sources(), [[], [`${nodes[0]!.host}:7775`], []]);
  assertEquals(holdersOf(rig.machine, SHA256).length, nodes.length);
  assertEquals([...wantedArtifacts(rig.machine.state)], [SHA256]);
});

Deno.test("sendTurn(): one node at a time, unless that one is slow; others are asked where there are any", () => {
  const load = { all: 0, ofThis: 0, waiting: 0, holders: () => 0, waitedMs: 0 };
  assertEquals(sendTurn(load), "send");
  assertEquals(sendTurn({ ...load, holders: () => 3 }), "send");
  // Other artifacts do not make this one wait.
  assertEquals(sendTurn({ ...load, all: ARTIFACT_SENDS - 1 }), "send");
  const second = { ...load, all: 1, ofThis: 1 };
  assertEquals(sendTurn(second), "wait");
  assertEquals(sendTurn({ ...second, holders: () => 1 }), "ask");
  assertEquals(sendTurn({ ...second, waiting: ARTIFACT_WAITS }), "ask");
  assertEquals(sendTurn({ ...second, waitedMs: ARTIFACT_TURN_MS }), "send");
  const full = { ...load, all: ARTIFACT_SENDS };
  assertEquals(sendTurn(full), "wait");
  assertEquals(sendTurn({ ...full, holders: () => 1 }), "ask");
  assertEquals(sendTurn({ ...full, waitedMs: ARTIFACT_TURN_MS }), "ask");
});
