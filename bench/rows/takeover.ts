import { SeveralConductors } from "../../conductor/live/testing_several.ts";
import { apply, post } from "../../conductor/live/rig_test.ts";
import { natsServer } from "../../tests/contract/nats_cluster.ts";
import { NotMeasured, type Recorder, type Row } from "../row.ts";

export const row: Row = {
  name: "takeover",
  measures:
    "the conductor that leads, of three on three servers of NATS, is ended: from the signal " +
    "to an operator's command acknowledged by the next",
  runs: 7,
  figures: [
    { key: "killed", label: "SIGKILL to the next command", unit: "ms", mustReach: 3_000 },
    { key: "stopped", label: "SIGTERM to the next command", unit: "ms", mustReach: 1_000 },
    { key: "frozen", label: "SIGSTOP to the next command", unit: "ms", mustReach: 3_000 },
  ],
  async run(recorder: Recorder) {
    if (natsServer() === null) throw new NotMeasured("nats-server is not installed");
    await using several = await SeveralConductors.start({
      count: 3,
      servers: 3,
      hostname: "127.0.44.61",
    });
    let apps = 0;
    const acknowledged = async () => {
      const command = apply(`app-${apps++}`);
      for (;;) {
        const leader = await several.leader();
        const reply = await post(leader.url, command).catch(() => "");
        if (reply.startsWith("OK|")) return;
      }
    };
    await acknowledged();
    for (let run = 0; run < recorder.runs; run++) {
      for (const [key, signal] of SIGNALS) {
        recorder.progress(`run ${run + 1}: ${signal}`);
        const leader = await several.leader();
        const beganMs = performance.now();
        if (key === "frozen") leader.signal(signal);
        else void leader.end(signal);
        await several.leader(leader);
        await acknowledged();
        recorder.sample(key, performance.now() - beganMs);
        if (key === "frozen") leader.signal("SIGCONT");
        await leader.end();
        await leader.start();
      }
    }
  },
};

const SIGNALS = [["killed", "SIGKILL"], ["stopped", "SIGTERM"], ["frozen", "SIGSTOP"]] as const;
