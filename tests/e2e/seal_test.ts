// A running cluster as the network sees it: everything that passes its mesh ports is captured, and
// nothing in it can be read.

import { assert, assertEquals } from "@std/assert";
import { denoFolder } from "../../core/live/deno_folder_testing.ts";
import { startClusterTask } from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** Words that must not be seen; the last two only this test knows. */
const SECRET = "kestrel-over-the-moor";
const LINE = "a line that only its log has";
const APP = "sealed-app";

const MANIFEST = `app ${APP}
  exec     sh
  args     -c "echo ${LINE}; sleep 600"
  replicas 2
  ram      16mb

  env {
    TOKEN ${SECRET}
  }
`;

async function canCapture(): Promise<boolean> {
  const { success } = await new Deno.Command("tshark", {
    args: ["-q", "-i", "lo", "-a", "duration:1"],
    stdout: "null",
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  return success;
}

const able = await canCapture();
if (!able) console.log("the capture of the mesh: not run: tshark may not capture on lo here");

async function skr8tr(conductor: string, state: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", `--config=${ROOT}/deno.json`, `${ROOT}/cli/main.ts`],
      ...["--conductor", conductor, "--key", `${state}/signing.sec`, ...words],
    ],
    cwd: state,
    env: { HOME: state, DENO_DIR: denoFolder() },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertEquals(code, 0, said + new TextDecoder().decode(stderr));
  return said;
}

Deno.test({
  name: "a capture of the mesh ports shows no manifest, no app's name, no log line, no secret",
  ignore: !able,
  async fn() {
    await using cluster = await startClusterTask();
    const { conductor, tower } = await cluster.ready();
    const base = Number(conductor.split(":")[1]) - 1;
    assertEquals(tower, `127.0.0.1:${base + 2}`, "this test knows where the ports are");
    // Nodes' beats, commands, the tower, the nodes.
    const filter = [base, base + 1, base + 2, base + 5].map((port) => `port ${port}`).join(" or ");
    const file = `${cluster.state}/capture.pcap`;
    const capture = new Deno.Command("tshark", {
      args: ["-q", "-i", "lo", "-f", filter, "-F", "pcap", "-w", file],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await says(capture.stderr, "Capturing on");
    await Deno.writeTextFile(`${cluster.state}/app.skr8tr`, MANIFEST);
    const run = (...words: string[]) => skr8tr(conductor, cluster.state, ...words);
    await run("up", "app.skr8tr", "--wait");
    assert((await run("logs", APP)).includes(LINE));
    assert((await run("status")).includes(APP));
    await run("down", APP);
    capture.kill("SIGINT");
    await capture.status;
    const bytes = await Deno.readFile(file);
    assert(bytes.length > 50_000, `${bytes.length} bytes were captured`);
    const seen = new TextDecoder("latin1").decode(bytes);
    assert(seen.includes("GET /seal HTTP/1.1"), "sealed streams were among it");
    for (const word of [SECRET, LINE, APP, "product-svc", "replicas", "APPLY|", '{"k":']) {
      assert(!seen.includes(word), `${JSON.stringify(word)} is readable`);
      assert(!seen.includes(btoa(word).replace(/.?=*$/, "")), `${word} is readable in base64`);
    }
    await cluster.stop();
  },
});

/** Waits until a stream has said this, and reads on. */
async function says(stream: ReadableStream<Uint8Array>, text: string): Promise<void> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (let all = ""; !all.includes(text);) {
    const { done, value } = await reader.read();
    assert(!done, all);
    all += value;
  }
  (async () => {
    while (!(await reader.read()).done);
  })();
}
