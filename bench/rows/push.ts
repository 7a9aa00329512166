import { showAddress } from "../../core/address.ts";
import type { Recorder, Row } from "../row.ts";
import { answers, ROOT, World } from "../world.ts";
import { permissionFlags } from "../../core/permissions.ts";

const HOOK = `${ROOT}/docs/examples/push/post-receive`;

async function git(folder: string, ...words: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("git", {
    args: ["-c", "user.name=bench", "-c", "user.email=bench@localhost", ...words],
    cwd: folder,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`git ${words.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

function manifest(release: number): string {
  return `app pushed
  serve {
    static \${ARTIFACT}
    port 8660
  }
  artifact {
    from site
  }
  env {
    RELEASE "${release}"
  }
  route {
    path /pushed
    strip yes
  }
`;
}

/** A program that is \`skr8tr\` as the hook calls it. */
async function writeProgram(world: World, path: string): Promise<void> {
  const flags = permissionFlags("skr8tr", { home: world.folder }).map((flag) => `'${flag}'`);
  await Deno.writeTextFile(
    path,
    `#!/bin/sh\nexec '${Deno.execPath()}' run --quiet --config='${ROOT}/deno.json' ${
      flags.join(" ")
    } '${ROOT}/cli/main.ts' --conductor ${showAddress(world.layout.conductor)} ` +
      `--key '${world.keyPath}' "$@"\n`,
    { mode: 0o755 },
  );
}

export const row: Row = {
  name: "push",
  measures:
    "`git push` to a bare repository with the hook of docs/examples/push, from the start of " +
    "its process to the first answer of the new version through the ingress; one replica of the " +
    "built-in static server, its folder an artifact",
  runs: 10,
  figures: [
    { key: "push", label: "push to first request", unit: "ms" },
    { key: "ended", label: "push until it says ready", unit: "ms" },
  ],
  async run(recorder: Recorder) {
    await using world = await World.start(["node-1"]);
    const bare = `${world.folder}/bare.git`;
    const work = `${world.folder}/work`;
    await Deno.mkdir(`${work}/site`, { recursive: true });
    await git(world.folder, "init", "--quiet", "--bare", "--initial-branch=main", bare);
    await Deno.copyFile(HOOK, `${bare}/hooks/post-receive`);
    await Deno.chmod(`${bare}/hooks/post-receive`, 0o755);
    await writeProgram(world, `${world.folder}/skr8tr`);
    await git(bare, "config", "skr8tr.program", `${world.folder}/skr8tr`);
    await git(work, "init", "--quiet", "--initial-branch=main");
    for (let release = 1; release <= recorder.runs + 1; release++) {
      await Deno.writeTextFile(`${work}/site/${release}.txt`, `${release}\n`);
      await Deno.writeTextFile(`${work}/pushed.skr8tr`, manifest(release));
      await git(work, "add", "--all");
      await git(work, "commit", "--quiet", "--message", `release ${release}`);
      const startedMs = performance.now();
      const pushed = git(work, "push", "--quiet", bare, "main").then(() => performance.now());
      const [servedMs, endedMs] = await Promise.all([
        answers(world.layout.ingress, `/pushed/${release}.txt`),
        pushed,
      ]);
      // The first makes the app; it is not counted.
      if (release === 1) continue;
      recorder.sample("push", servedMs - startedMs);
      recorder.sample("ended", endedMs - startedMs);
    }
  },
};
