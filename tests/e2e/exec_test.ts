// `skr8tr exec` on a real, sealed cluster: input, output, exit codes, terminals, and what is left when
// one of the parts is gone.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoFolder } from "../../core/live/deno_folder_testing.ts";
import { shellWord } from "../../core/shell.ts";
import { daemonPid, kill, processesNaming, until } from "./cluster_process.ts";
import { StreamCluster } from "./stream_cluster.ts";

/** A command line that can be found among all processes, and when it began. */
function marked(): { readonly name: string; readonly line: string } {
  const name = `skr8tr-mark-${crypto.randomUUID()}`;
  return { name, line: `echo begun; sh -c 'sleep 600; true' ${name}` };
}

/** Whether a program of this name runs; the CLI, whose words name it, too, does not count. */
async function runs(name: string): Promise<boolean> {
  const found = await processesNaming(name);
  return found.some(({ words }) => words[0] === "sh" && words.at(-2) === name);
}

async function run(...[program, ...args]: [string, ...string[]]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, stdin: "null" }).output();
  assert(success, program);
}

/** What a stream has brought so far. */
class Heard {
  text = "";
  readonly end: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.end = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) this.text += part;
  }

  async until(text: string): Promise<void> {
    const isThere = () => this.text.includes(text);
    await until(10_000, `${text} is printed`, isThere).catch((error) => {
      throw new Error(`${error.message}, but ${JSON.stringify(this.text)}`);
    });
  }
}

Deno.test("skr8tr exec runs beside a replica and exits as the command does", async (t) => {
  await using all = await StreamCluster.start();
  const exec = (...words: string[]) => all.skr8tr("exec", ...words);

  await t.step("it sees the replica's environment and folder", async () => {
    const { code, out, err } = await exec("echo", "echo $APP at $PORT in $(pwd)");
    assertEquals([code, err], [0, ""]);
    assertMatch(out, new RegExp(`^echo at \\d+ in ${all.folder}/cwd\n$`));
  });
  await t.step("both channels come apart, as they were written", async () => {
    const { code, out, err } = await exec(
      "echo",
      "printf 'no end | of line'; printf oops >&2; exit 7",
    );
    assertEquals([code, out, err], [7, "no end | of line", "oops"]);
  });
  await t.step(
    "the exit code is the command's, 128 and the signal's number for a signal",
    async () => {
      assertEquals(await exec("echo", "true"), {
        code: 0,
        out: "",
        err: "",
        bytes: new Uint8Array(),
      });
      const none = await exec("echo", "/no/such/program");
      assertEquals(none.code, 127, none.err);
      assertEquals((await exec("echo", "kill -TERM $$")).code, 143);
      assertEquals((await exec("echo", "kill -KILL $$")).code, 137);
    },
  );
  await t.step("several words are a program and its arguments, each as it stands", async () => {
    const words = ["printf", "%s.", "a b", "$HOME", "it's"];
    assertEquals((await exec("echo", "--", ...words)).out, "a b.$HOME.it's.");
  });
  await t.step("10 MB of input come back byte for byte", async () => {
    const bytes = new Uint8Array(10_000_000);
    for (let at = 0; at < bytes.length; at += 65_536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    }
    const back = await all.given(bytes, "exec", "echo", "cat");
    assertEquals(back.code, 0, back.err);
    assertEquals(back.bytes.length, bytes.length);
    assert(back.bytes.every((byte, at) => byte === bytes[at]), "a byte is another");
  });
  await t.step("who reads slowly holds the command up, and gets all of it", async () => {
    const line = "i=0; while [ $i -lt 60 ]; do head -c 1000000 /dev/zero; i=$((i+1)); " +
      "echo $i >progress; done";
    const child = all.spawn(["exec", "echo", line]);
    const reader = child.stdout.getReader();
    let length = (await reader.read()).value!.length;
    // Megabytes written, once for a second there were no more.
    let [before, since] = ["", performance.now()];
    await until(30_000, "the command stands still", async () => {
      const now = await Deno.readTextFile(`${all.folder}/cwd/progress`).catch(() => "");
      if (now !== before) [before, since] = [now, performance.now()];
      return performance.now() - since > 1_000;
    });
    assert(Number(before) < 10, `${before} MB are held somewhere`);
    for (let next; (next = await reader.read()).value;) length += next.value.length;
    assertEquals([length, (await child.status).code], [60_000_000, 0]);
    await child.stderr.cancel();
  });
  await t.step("a command that does not read its input is not held up by it", async () => {
    const { code, out } = await all.given("x".repeat(2_000_000), "exec", "echo", "echo done");
    assertEquals([code, out], [0, "done\n"]);
  });
  await t.step("it ends when nobody reads its output any more", async () => {
    const child = all.spawn(["exec", "echo", "yes"]);
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    assertEquals((await child.status).code, 0);
    assertEquals(await new Response(child.stderr).text(), "");
  });
  await t.step("a replica by its number and by its id; none that is not there", async () => {
    const { out } = await exec("echo/0", "echo $REPLICA_ID");
    assertMatch(out, /^echo\.\d+\n$/);
    assertEquals((await exec(`echo/${out.trim()}`, "true")).code, 0);
    const none = await exec("echo/7", "true");
    assertEquals(none.code, 1);
    assertStringIncludes(none.err, "no replica 7 of echo runs now");
    const nobody = await exec("nobody", "true");
    assertEquals(nobody.code, 1);
    assertStringIncludes(nobody.err, "no app is named nobody");
  });
  await t.step("what it leaves in its group ends with it", async () => {
    const { name } = marked();
    const { code, out } = await exec("echo", `sh -c 'sleep 600; true' ${name} & echo left`);
    assertEquals([code, out], [0, "left\n"]);
    await until(5_000, "what was left is gone", async () => !await runs(name));
  });
  await t.step("the audit says who ran what beside which replica", async () => {
    const { out } = await all.skr8tr("audit", "--app", "echo");
    assertMatch(out, /open at echo\.\d+ of echo: exec: printf 'no end \| of line'/);
  });
  await t.step("-t makes a terminal of our size, which follows it", async () => {
    const line = "stty size; while read a && [ $a != end ]; do stty size; done; " +
      "echo got $a; exit 5";
    // script(1) makes one for the CLI, too.
    const words = [Deno.execPath(), ...all.words("exec", "-t", "echo", line)].map(shellWord);
    const child = new Deno.Command("script", {
      args: ["-qfec", `tty; stty rows 33 cols 97; exec ${words.join(" ")}`, "/dev/null"],
      env: { HOME: all.folder, DENO_DIR: denoFolder(), TERM: "xterm" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const heard = new Heard(child.stdout);
    await heard.until("33 97");
    const [own = ""] = /\/dev\/pts\/\d+/.exec(heard.text) ?? [];
    await run("stty", "-F", own, "rows", "20", "cols", "50");
    const writer = child.stdin.getWriter();
    const type = (text: string) => writer.write(new TextEncoder().encode(text));
    await until(10_000, "the new size is there", async () => {
      await type("again\r");
      return heard.text.includes("20 50");
    });
    await type("end\r");
    await heard.until("got end");
    writer.close().catch(() => {});
    assertEquals((await child.status).code, 5);
    await heard.end;
  });
  await t.step("a terminal that is closed ends the command", async () => {
    const { name, line } = marked();
    const words = [Deno.execPath(), ...all.words("exec", "-t", "echo", line)].map(shellWord);
    const child = new Deno.Command("script", {
      args: ["-qfec", `exec ${words.join(" ")}`, "/dev/null"],
      env: { HOME: all.folder, DENO_DIR: denoFolder(), TERM: "xterm" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const heard = new Heard(child.stdout);
    await heard.until("begun");
    await until(5_000, "it runs", () => runs(name));
    child.kill("SIGKILL");
    await until(10_000, "it is gone", async () => !await runs(name));
    await Promise.all([child.status, heard.end, child.stdin.close().catch(() => {})]);
  });
  await t.step("Ctrl-C goes to the command, which may do with it what it likes", async () => {
    const line = "trap 'echo trapped; exit 9' INT; echo begun; while :; do sleep 0.05; done";
    const child = all.spawn(["exec", "echo", line]);
    const heard = new Heard(child.stdout);
    await heard.until("begun");
    child.kill("SIGINT");
    await heard.end;
    assertEquals(heard.text, "begun\ntrapped\n");
    assertEquals((await child.status).code, 9);
    await child.stderr.cancel();
  });
  await t.step("kill -9 of the CLI ends the command and its group", async () => {
    const { name, line } = marked();
    const child = all.spawn(["exec", "echo", line]);
    const heard = new Heard(child.stdout);
    await heard.until("begun");
    await until(5_000, "it runs", () => runs(name));
    child.kill("SIGKILL");
    await until(10_000, "it is gone", async () => !await runs(name));
    await Promise.all([child.status, heard.end, child.stderr.cancel()]);
  });
  await t.step("kill -9 of the node is told, and its next start ends the command", async () => {
    const { name, line } = marked();
    const child = all.spawn(["exec", "echo", line]);
    const heard = new Heard(child.stdout);
    const errors = new Heard(child.stderr);
    await heard.until("begun");
    await until(5_000, "it runs", () => runs(name));
    const { out } = await all.skr8tr("list", "--json");
    const [node = ""] = /node-\d/.exec(out.slice(out.indexOf('"echo.'))) ?? [];
    kill(await daemonPid(all.cluster.state, node), "SIGKILL");
    assertEquals((await child.status).code, 1);
    await Promise.all([heard.end, errors.end]);
    assertMatch(errors.text, /broke off: node-\d went away/);
    await until(20_000, "it is gone", async () => !await runs(name));
    await until(20_000, "the replica is adopted", async () => {
      return (await exec("echo", "true")).code === 0;
    });
  });
  await t.step("kill -9 of the conductor in the middle is told, and ends the command", async () => {
    const { name, line } = marked();
    const child = all.spawn(["exec", "echo", line]);
    const heard = new Heard(child.stdout);
    await heard.until("begun");
    await until(5_000, "it runs", () => runs(name));
    const pid = await daemonPid(all.cluster.state, "conductor");
    kill(pid, "SIGKILL");
    const errors = new Heard(child.stderr);
    assertEquals((await child.status).code, 1);
    await Promise.all([heard.end, errors.end]);
    assertMatch(
      errors.text,
      /the stream to echo\.\d+ on node-\d broke off: the conductor is not there any more/,
    );
    await until(10_000, "it is gone", async () => !await runs(name));
  });
  await all.cluster.stop();
});
