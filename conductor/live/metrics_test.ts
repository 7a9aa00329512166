import { assert } from "@std/assert";
import { promtool } from "../../core/live/promtool_testing.ts";
import { manifestOf, Rig } from "../rig_test.ts";
import { conductorMetrics } from "./metrics.ts";

async function text(): Promise<string> {
  const rig = new Rig();
  rig.addNode(1);
  rig.apply("web", manifestOf("web"));
  rig.live(500);
  const sockets = {
    mesh: { received: 7, dropped: 2, sent: 5, sendFailed: 1 },
    commands: { received: 1, dropped: 0, sent: 1, sendFailed: 0 },
  };
  return await conductorMetrics({
    machine: rig.machine,
    now: rig.now,
    sockets,
    ignored: 1,
    streams: 2,
  });
}

Deno.test("the metrics count datagrams by socket and outcome", async () => {
  const lines = (await text()).split("\n");
  for (
    const line of [
      'skr8tr_conductor_datagrams_total{socket="mesh",outcome="taken"} 5',
      'skr8tr_conductor_datagrams_total{socket="mesh",outcome="dropped"} 2',
      'skr8tr_conductor_datagrams_total{socket="mesh",outcome="sent"} 5',
      'skr8tr_conductor_datagrams_total{socket="mesh",outcome="send_failed"} 1',
      'skr8tr_conductor_datagrams_total{socket="commands",outcome="taken"} 1',
      'skr8tr_conductor_nodes{state="ready"} 1',
      'skr8tr_conductor_replicas{app="web",state="ready"} 1',
      "skr8tr_conductor_log_sequence 3",
      "skr8tr_conductor_commands_ignored_total 1",
      "skr8tr_conductor_streams 2",
    ]
  ) assert(lines.includes(line), `${line} is not in\n${lines.join("\n")}`);
});

Deno.test("promtool finds nothing to say about the metrics", async () => {
  await promtool(["check", "metrics"], await text());
});
