import { assertEquals } from "@std/assert";
import { ARTIFACT_CHANGED, type ReplicaStatus } from "../core/mesh.ts";
import { describeChange } from "./events.ts";

const READY: ReplicaStatus = {
  replica: "web.1",
  app: "web",
  generation: 1,
  version: 3,
  state: "ready",
  pid: 1234,
  port: 8001,
  restarts: 0,
  sinceWallMs: 1,
};

const toldOf = (after: Partial<ReplicaStatus>): string[] => {
  const { pid, ...rest } = { ...READY, state: "starting" as const, ...after };
  const status = pid === undefined ? rest : { ...rest, pid };
  return describeChange("node-1", READY, status).map((each) => each.text);
};

Deno.test("describeChange() tells once that an artifact was changed on a node", () => {
  const reason = `${ARTIFACT_CHANGED}web has 7 bytes; it was replaced`;
  const waiting = { ...READY, state: "waiting" as const };
  const starting = { ...READY, version: 5, state: "starting" as const, reason };
  const events = describeChange("node-1", waiting, starting);
  assertEquals(events.map(({ kind, text }) => [kind, text]), [
    ["artifact-changed", `web.1 on node-1: ${reason}`],
  ]);
  assertEquals(describeChange("node-1", starting, { ...starting, version: 6 }), []);
  assertEquals(
    describeChange("node-1", starting, { ...READY, version: 7 }).map(({ kind }) => kind),
    ["replica-ready"],
  );
});

Deno.test("describeChange() blames the health check only where the program is still there", () => {
  assertEquals(toldOf({}), ["web.1 on node-1: its health check fails"]);
  assertEquals(toldOf({ pid: 99 }), ["web.1 on node-1: its program is not there any more"]);
  assertEquals(toldOf({ pid: undefined }), [
    "web.1 on node-1: its program is not there any more",
  ]);
  assertEquals(toldOf({ reason: "its probes fail" }), ["web.1 on node-1: its probes fail"]);
});
