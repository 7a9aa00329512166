// Daemons that are told where the others are by their host alone look at the standard ports.

import { CONDUCTOR_PORT, TOWER_PORT } from "../../core/address.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** One of this test's own, so that the standard ports are free. */
const HOST = "127.0.77.10";
const DEADLINE_MS = 30_000;

/** Starts a daemon; `said` resolves when its log has all that is waited for. */
function start(daemon: string, state: string, ...flags: string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", `--config=${ROOT}deno.json`, `${ROOT}${daemon}/main.ts`],
      ...[`--bind=${HOST}`, `--state=${state}/${daemon}`, "--mesh=open", ...flags],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let text = "";
  let changed = Promise.withResolvers<void>();
  const read = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      changed.resolve();
      changed = Promise.withResolvers();
    }
  })();
  return {
    async said(...wanted: RegExp[]): Promise<void> {
      const late = AbortSignal.timeout(DEADLINE_MS);
      const end = new Promise<never>((_, reject) =>
        late.addEventListener("abort", () => reject(new Error(`${daemon} said only:\n${text}`)))
      );
      end.catch(() => {});
      while (!wanted.every((each) => each.test(text))) await Promise.race([changed.promise, end]);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGKILL");
      await child.status;
      await read;
    },
  };
}

Deno.test("conductor, node and ingress find the others by host alone", async () => {
  const state = await Deno.makeTempDir({ prefix: "skr8tr-addresses-" });
  try {
    await using tower = start("tower", state, "--dns=off");
    await tower.said(new RegExp(`listening on ${HOST}:${TOWER_PORT}`));
    await using conductor = start("conductor", state, `--tower=${HOST}`, "--insecure");
    await conductor.said(new RegExp(`${HOST}:${CONDUCTOR_PORT}`));
    await using _ingress = start("ingress", state, `--tower=${HOST}`, "--http=0", "--admin=0");
    await using _node = start(
      ...["node", state, `--conductor=${HOST}`, `--tower=${HOST}`, "--insecure"] as const,
      ...["--metrics=off", "--port=0", "--name=by-host"],
    );
    await tower.said(/conductor \S+ watches/, /ingress \S+ watches/);
    await conductor.said(/by-host/);
  } finally {
    await Deno.remove(state, { recursive: true });
  }
});
