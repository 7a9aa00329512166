import { assertEquals } from "@std/assert";
import type { NodeView, StatusView } from "../../core/view.ts";
import { paint } from "../output.ts";
import { appView } from "../testing/conductor.ts";
import { bar, topLines } from "./top.ts";

const output = { paint: paint(false), columns: 120 };

Deno.test("bar() is as full as the percentage says, and never longer", () => {
  assertEquals(bar(0), "░".repeat(20));
  assertEquals(bar(50), "█".repeat(10) + "░".repeat(10));
  assertEquals(bar(140), "█".repeat(20));
});

Deno.test("topLines() puts the busiest nodes and the most asked apps first", () => {
  const node = (name: string, cpuPercent: number): NodeView => ({
    ...{ id: name, name, host: "10.0.0.1", port: 7775, cpuPercent, cores: 2 },
    ...{ ramTotalBytes: 4 * 2 ** 30, ramFreeBytes: 2 ** 30, gpu: false, labels: {} },
    ...{ replicas: 3, silentMs: 0 },
    state: "ready",
  });
  const status: StatusView = {
    conductor: { version: "0", boot: "b", upMs: 1 },
    sequence: 1,
    nodes: [node("calm", 3), node("busy", 97), { ...node("gone", 99), state: "dead" }],
    apps: [appView("quiet", { ready: 1 }), appView("asked", { ready: 1 })],
    problems: [],
  };
  const traffic = {
    requestsPerSecond: 12.4,
    errorsPerSecond: 0,
    p50Ms: 1.2,
    p95Ms: 30,
    p99Ms: 50,
    inFlight: 2,
  };
  const lines = topLines(status, { wallMs: 0, nodes: {}, apps: { asked: traffic } }, output);
  const firsts = lines.map((line) => line.split(/ +/)[0]);
  assertEquals(firsts, ["NODE", "busy", "calm", "", "APP", "asked", "quiet"]);
  assertEquals(lines[1]?.split(/ +/), [
    ...["busy", "97", "%", bar(97), "75", "%", bar(75), "1.0", "GiB", "3"],
  ]);
  assertEquals(lines[5]?.split(/ +/), ["asked", "1/1", "12", "0", "1.2", "ms", "30", "ms", "2"]);
});
