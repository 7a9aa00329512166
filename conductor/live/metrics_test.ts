import { assert, assertEquals } from "@std/assert";
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
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("not run: promtool is not installed");
    return;
  }
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(await text()));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals([code, said], [0, ""]);
});
