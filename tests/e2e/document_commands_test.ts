// The commands of the documents, run in the order of a day; docs/run_commands_test.ts sees to it that
// none is missing.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Step, STEPS } from "./document_steps.ts";
import { copyProject, ownNetwork, runScript, WAIT } from "./documents.ts";

/** The shell script of all steps: what step N says and its exit code are in out/N and out/N.code. */
function scriptOf(steps: readonly Step[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = steps.map((step, number) => {
    if ("prepare" in step) return `{\n${step.prepare}\n} >>prepare.output 2>&1`;
    let line = step.run;
    for (const [text, words] of Object.entries(step.where ?? {})) line = line.replace(text, words);
    const written = `printf '%s\\n' ${quoted(line)} >out/${number}.sh`;
    if (step.lasts) return `${written}\nlasting ${number} ${quoted(step.says.source)}`;
    const program = step.types === undefined
      ? `timeout 60 bash out/${number}.sh </dev/null`
      : `echo ${step.types} | timeout 60 script -qec 'bash out/${number}.sh' /dev/null`;
    return `${written}\ncode=0\n{ ${program}; } >out/${number} 2>&1 || code=$?\n` +
      `echo $code >out/${number}.code`;
  });
  return `set -e
mkdir out
${WAIT}
# Interrupts what goes on for ever once it has said what it must say.
lasting() {
  set -m
  bash out/$1.sh >out/$1 2>&1 </dev/null &
  local job=$! code=0
  set +m
  for _ in $(seq 300); do
    if grep -qE "$2" out/$1; then break; fi
    sleep 0.1
  done
  kill -INT -- -$job || true
  wait $job || code=$?
  echo $code >out/$1.code
}
${parts.join("\n")}
`;
}

/**
 * What `deno install --global` takes no lock file to, and so asks the registry for: versions of all
 * packages of the CLI. Their own network cannot reach it, and nobody may have asked on this machine.
 */
async function fetchAsInstalled(folder: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "--no-lock", "--config", "deno.json", "cli/main.ts"],
    cwd: folder,
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

const network = await ownNetwork();
if (network === null) {
  console.log("documents' commands: not run: no network of their own (unshare --net, ip)");
}

Deno.test({
  name: "the commands of the documents do what they say",
  ignore: network === null,
  fn: async (t) => {
    const has = async (program: string) =>
      (await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).output()).success;
    const hasNats = await has("nats-server");
    if (!hasNats) console.log("not run: commands with nats://: nats-server is not installed");
    const steps = STEPS.filter((step) => hasNats || !step.nats);
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-commands-" });
    try {
      await copyProject(folder);
      await fetchAsInstalled(folder);
      const addresses = [1, 2, 3, 4, 5].map((each) => `10.0.0.${each}`);
      const { code, out, err } = await runScript(
        folder,
        scriptOf(steps),
        network!,
        addresses,
      );
      const read = (path: string) => Deno.readTextFile(`${folder}/${path}`).catch(() => "");
      for (const [number, step] of steps.entries()) {
        if ("prepare" in step) continue;
        await t.step(step.run, async () => {
          const said = await read(`out/${number}`);
          const ended = (await read(`out/${number}.code`)).trim();
          assert(ended !== "", "it was not come to, or did not end");
          assertMatch(said, step.says);
          // What is interrupted ends by itself, or by the signal.
          const codes = step.lasts ? [0, 130] : [step.code ?? 0];
          assert(codes.includes(Number(ended)), `exit code ${ended}: ${said}`);
        });
      }
      assertEquals(code, 0, out + err + await read("prepare.output"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
