import { assertEquals } from "@std/assert";
import type { AppView, ReplicaView } from "../core/view.ts";
import { appView, replicaView } from "./testing/conductor.ts";
import { restartVerdict, verdictOf, whyLate } from "./verdict.ts";

const exit = (why: "exit" | "launch" | "unhealthy" | "stopped", code?: number) =>
  ({ why, code, wallMs: 1 }) as ReplicaView["exit"];

const view = (state: AppView["state"], ...replicas: ReplicaView[]) =>
  appView("api", { generation: 2, state, replicas });

Deno.test("verdictOf() waits while replicas start, also after a first fall", () => {
  for (
    const replica of [
      replicaView("api.1", { generation: 2 }),
      replicaView("api.1", { generation: 2, restarts: 2, exit: exit("exit", 1) }),
      // Replicas of the old generation fall as they like.
      replicaView("api.1", { generation: 1, restarts: 9, exit: exit("exit", 1) }),
    ]
  ) {
    assertEquals(verdictOf(view("deploying", replica), 2).kind, "waiting");
    assertEquals(verdictOf(view("failing", replica), 2).kind, "waiting");
  }
});

Deno.test("verdictOf() is ready only for its own generation", () => {
  assertEquals(verdictOf(view("ready"), 2), { kind: "ready" });
  assertEquals(verdictOf(view("ready"), 3), {
    kind: "failed",
    reason: "went back to generation 2",
  });
  assertEquals(verdictOf(view("ready"), 1), {
    kind: "failed",
    reason: "generation 2 was deployed meanwhile",
  });
});

Deno.test("verdictOf() names the replica that cannot be started, at once", () => {
  const replica = replicaView("api.1", {
    generation: 2,
    exit: exit("launch"),
    reason: "no such program: /opt/api",
  });
  assertEquals(verdictOf(view("failing", replica), 2), {
    kind: "failed",
    reason: "no such program: /opt/api",
    replica,
  });
});

Deno.test("verdictOf() gives up on a replica that keeps falling", () => {
  const replica = replicaView("api.1", { generation: 2, restarts: 3, exit: exit("exit", 3) });
  assertEquals(verdictOf(view("failing", replica), 2), {
    kind: "failed",
    reason: "exit code 3, restarted 3 times",
    replica,
  });
});

Deno.test("whyLate() names the replica that is not ready", () => {
  const replica = replicaView("api.2", { generation: 2, reason: "GET /health answered 500" });
  assertEquals(whyLate(view("deploying", replica), 2).reason, "GET /health answered 500");
  assertEquals(whyLate(undefined, 2).replica, undefined);
});

const decided = (
  outcome: NonNullable<AppView["newest"]>["outcome"],
  rest: Partial<AppView> = {},
): AppView =>
  appView("api", {
    generation: 2,
    state: "ready",
    newest: { generation: 2, ...(outcome ? { outcome } : {}) },
    ...rest,
  });

Deno.test("verdictOf() waits for the conductor's verdict where it gives one", () => {
  assertEquals(verdictOf(decided(undefined), 2), { kind: "waiting" });
  const done = { result: "done", reason: "1 of 1 are ready", wallMs: 1 } as const;
  assertEquals(verdictOf(decided(done), 2), { kind: "ready" });
  assertEquals(verdictOf(decided(done, { state: "deploying" }), 2).kind, "waiting");
});

Deno.test("verdictOf() says what was gone back to, and which replica shows why", () => {
  const outcome = {
    result: "rolled-back",
    reason: "api.4 on node-2: exit code 3",
    wallMs: 1,
    replica: "api.4",
    node: "node-2",
  } as const;
  const rollout = {
    kind: "back",
    generation: 1,
    phase: "rolling",
    begunWallMs: 1,
    ready: 2,
    old: 1,
  } as const;
  assertEquals(verdictOf(decided(outcome, { generation: 1, rollout }), 2), {
    kind: "failed",
    reason: "api.4 on node-2: exit code 3; back to generation 1",
    replica: { replica: "api.4", node: "node-2" },
  });
});

Deno.test("restartVerdict() is ready when all are replaced, and failed when it stands still", () => {
  const rollout = { kind: "restart", generation: 2, begunWallMs: 1, ready: 1, old: 1 } as const;
  const at = (phase: "rolling" | "done" | "failed", reason?: string) =>
    restartVerdict(decided(undefined, {
      rollout: { ...rollout, phase, ...(reason ? { reason } : {}) },
    }));
  assertEquals(at("rolling"), { kind: "waiting" });
  assertEquals(at("done"), { kind: "ready" });
  assertEquals(at("failed", "api.4 on node-2: exit code 3"), {
    kind: "failed",
    reason: "api.4 on node-2: exit code 3",
  });
});
