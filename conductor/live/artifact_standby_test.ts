// Three conductors, of which the one that leads is lost with its disk as soon as a deploy is
// acknowledged: another one has what is to be deployed.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../core/bytes.ts";
import { main } from "../../cli/main.ts";
import { keptOutput } from "../../cli/testing/output.ts";
import { hasNats } from "../../tests/contract/nats_cluster.ts";
import { type ConductorProcess, SeveralConductors } from "./testing_several.ts";
import { keys } from "./rig_test.ts";

const DEADLINE_MS = 30_000;

/** Whole at this conductor. */
async function has(conductor: ConductorProcess, sha256: string): Promise<boolean> {
  const response = await fetch(`${conductor.url}/artifacts/${sha256}`, { method: "HEAD" });
  return response.status === 200;
}

Deno.test({
  name: "an artifact that was acknowledged is there when whoever leads is lost with its disk",
  ignore: !hasNats(),
  async fn() {
    await using several = await SeveralConductors.start({
      count: 3,
      servers: 1,
      hostname: "127.0.44.13",
    });
    const { folder } = several;
    await Deno.writeFile(`${folder}/signing.sec`, keys.secretKey, { mode: 0o600 });
    const up = async (app: string) => {
      const bytes = crypto.getRandomValues(new Uint8Array(50_000));
      await Deno.writeFile(`${folder}/${app}`, bytes);
      const manifest = `app ${app}\n  exec \${ARTIFACT}/${app}\n  artifact { from ${app} }\n`;
      await Deno.writeTextFile(`${folder}/${app}.skr8tr`, manifest);
      const running = several.conductors.filter((each) => each.url !== "");
      const output = keptOutput();
      const code = await main([
        ...["--conductor", running.map((each) => each.url.slice("http://".length)).join(",")],
        ...["--key", `${folder}/signing.sec`, "up", `${folder}/${app}.skr8tr`],
      ], output);
      const said = output.noted.join("\n");
      assertEquals(code, 0, said);
      return { sha256: sha256Hex(bytes), said };
    };

    /** Waits until it has all of these. */
    const whole = async (conductor: ConductorProcess, ...all: string[]) => {
      for (const untilMs = performance.now() + DEADLINE_MS;;) {
        const missing = await Promise.all(all.map(async (each) => !await has(conductor, each)));
        if (!missing.includes(true)) return;
        assert(performance.now() < untilMs, `${conductor.name} lacks one of ${all}`);
      }
    };
    const lose = async (conductor: ConductorProcess) => {
      await conductor.end();
      await Deno.remove(`${conductor.state}/artifacts`, { recursive: true });
    };

    // One standby has it, and the one that leads next is the other.
    const first = await several.leader();
    const [copier, late] = several.conductors.filter((each) => each !== first);
    late!.signal("SIGSTOP");
    const one = await up("one");
    assert(!one.said.includes("warning"), one.said);
    copier!.signal("SIGSTOP");
    await lose(first);
    late!.signal("SIGCONT");
    assertEquals(await several.leader(), late);
    assertEquals(await has(late!, one.sha256), false);
    copier!.signal("SIGCONT");
    await whole(late!, one.sha256);

    const two = await up("two");
    assert(!two.said.includes("warning"), two.said);
    await lose(await several.leader());
    await whole(await several.leader(), one.sha256, two.sha256);

    const { said } = await up("three");
    assertStringIncludes(said, "three: only the conductor that leads has its artifact");
    assertStringIncludes(said, "no other conductor is heard");
  },
});
