// Every command that a document names is run: in its page's own test, here, or where it says why not
// here.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { allCommands, type Command, commandsOf, isSpoken } from "./document_commands.ts";
import { type Step, STEPS } from "./document_steps.ts";
import { copyProject, denoDir, ownNetwork, ROOT, WAIT } from "./documents.ts";

/** Pages whose blocks a test of their own types as they stand, and the blocks that it types. */
const FOLLOWED: Readonly<Record<string, readonly string[]>> = {
  "README.md": ["sh", "sh cluster", "sh conductor", "sh daemons"],
  "docs/TUTORIAL.md": ["sh", "sh cluster"],
  "docs/WORKLOADS.md": ["sh", "sh cluster"],
};

const WHOLE = "it takes minutes, or the whole machine; CI itself is this";
const MEASURES = "it measures for minutes, on a quiet machine; what is kept of it is tested";
const SETTLED = "it has a test of its own, in which it has what it needs";

/** What is run elsewhere: the command -> why, and where its substance is tested. */
const ELSEWHERE: Readonly<Record<string, readonly [why: string, where: string]>> = {
  "npx -y deno@2.9.6 task cluster": ["it fetches Deno; CI does it so", ".ci/run"],
  "npx -y deno@2.9.6 task test": [WHOLE, ".ci/run"],
  "deno task test": [WHOLE, ".ci/run"],
  "deno task check": ["CI runs it in `deno task ok`", ".ci/run"],
  "deno task test guests": [WHOLE, "tests/guest/shop_test.ts"],
  "deno task test:guest": ["it emulates a machine for minutes", "tests/guest/limits_test.ts"],
  "sudo deno task guests": ["it needs root and virtual machines", "tests/guest/shop_test.ts"],
  "deno task docs": ["it writes into the clone", "docs/generate_test.ts"],
  "deno task docs --figures": ["it writes into the clone", "docs/generate_test.ts"],
  "deno task compile --network 10.0.0.0/24 --state /var/lib/skr8tr --keys /etc/skr8tr": [
    "it fetches a base binary",
    "cli/compile_test.ts",
  ],
  "deno task bundle": [SETTLED, "tests/e2e/bundle_test.ts"],
  "deno task deb": [SETTLED, "tests/e2e/deb_test.ts"],
  "skr8tr install node": ["it writes into /etc: below another folder", "tests/e2e/bundle_test.ts"],
  "skr8tr install conductor tower --dry-run": ["it needs a bundle", "tests/e2e/bundle_test.ts"],
  "deno task conductor": ["its ports are the cluster's", "tests/e2e/permissions_test.ts"],
  "deno task tower": ["its ports are the cluster's", "tests/e2e/permissions_test.ts"],
  "deno task node": ["its ports are the cluster's", "tests/e2e/permissions_test.ts"],
  "deno task ingress": ["its ports are the cluster's", "tests/e2e/permissions_test.ts"],
  "deno task cluster --shape five": [SETTLED, "tests/e2e/shapes_test.ts"],
  "deno task several": [SETTLED, "tests/e2e/several_test.ts"],
  "node --conductor 10.0.0.1,10.0.0.2,10.0.0.3 --tower 10.0.0.4,10.0.0.5": [
    SETTLED,
    "tests/e2e/several_test.ts",
  ],
  "ingress --conductor 10.0.0.1:7771,10.0.0.2:7771 --tower 10.0.0.4:7772,10.0.0.5:7772": [
    SETTLED,
    "tests/e2e/several_test.ts",
  ],
  "tower --conductor 10.0.0.1:7771,10.0.0.2:7771 --name tower-2": [
    SETTLED,
    "tests/e2e/several_test.ts",
  ],
  "deno task fuzz --seed 20261127": ["25 minutes", "tests/fuzz/fuzz_test.ts"],
  "deno task fuzz --minutes 60 manifest": ["an hour", "tests/fuzz/fuzz_test.ts"],
  "deno task sim --seeds 2000": ["minutes, all cores", "tests/sim/world_test.ts"],
  "deno task sim --hour --nodes 200": ["minutes", "tests/sim/hour_test.ts"],
  "deno task scenarios --update": ["it writes into the clone", "tests/sim/scenario_test.ts"],
  "deno task bench": [MEASURES, "bench/results_test.ts"],
  "deno task bench shapes": [MEASURES, "docs/generate_test.ts"],
  "deno task bench growth": [MEASURES, "bench/growth_plot_test.ts"],
  "deno task bench takeover": [MEASURES, "tests/e2e/several_test.ts"],
  "deno task bench rollout drain": [MEASURES, "tests/e2e/rollout_test.ts"],
};

/** Texts that are signed or derived from; they begin with the system's name and are no commands. */
const NO_COMMANDS = /^skr8tr (log LOG|box 1|seal 1|static key\||operator static key\|)/;

const isFollowed = ({ page, kind, info }: Command) =>
  kind === "code" && (FOLLOWED[page] ?? []).includes(info ?? "");

const commands = (await allCommands()).filter(({ line }) => !NO_COMMANDS.test(line));
const runs = STEPS.flatMap((step) => "run" in step ? [step.run] : []);

Deno.test("every command that a document names is run somewhere", () => {
  const typed = [...commands.filter(isFollowed).map(({ line }) => line), ...runs];
  const isRun = (command: Command) =>
    isFollowed(command) || typed.includes(command.line) || command.line in ELSEWHERE ||
    command.kind === "said" &&
      [...typed, ...Object.keys(ELSEWHERE)].some((line) => isSpoken(command.line, line));
  const missing = commands.filter((command) => !isRun(command))
    .map(({ page, line }) => `${page}: ${line}`);
  assertEquals(missing, [], "add it to document_steps.ts");
  assert(commands.length > 250, `only ${commands.length} were found`);
});

Deno.test("what is run, or left to others, stands in a document", async () => {
  const stale = [...runs, ...Object.keys(ELSEWHERE)].filter((line) =>
    !commands.some((command) => command.line === line) &&
    !commands.some(({ kind, line: said }) => kind === "said" && isSpoken(said, line))
  );
  assertEquals(stale, []);
  for (const [, where] of Object.values(ELSEWHERE)) await Deno.stat(`${ROOT}/${where}`);
});

Deno.test("commandsOf() finds commands in blocks, in indented code and in prose", () => {
  const page =
    "```sh\nskr8tr a \\\n  --b # why\n\n```\n\n    deno task c\n\nDo `skr8tr\nup FILE`.\n" +
    "\n```text\nskr8tr d\n```\n";
  assertEquals(
    commandsOf("p", page).map(({ line, kind }) => `${kind} ${line}`),
    ["code skr8tr a --b", "code deno task c", "said skr8tr up FILE"],
  );
  assert(isSpoken("skr8tr up FILE", "skr8tr up shop.skr8tr --wait"));
  assert(isSpoken("skr8tr run --wait", "skr8tr run backup.skr8tr --wait"));
  assert(!isSpoken("skr8tr run --wait", "skr8tr run backup"));
  assert(!isSpoken("skr8tr node forget NODE", "skr8tr node drain node-2 --wait"));
  assert(!isSpoken("skr8tr run", "skr8tr runs backup"));
});

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
      await Deno.writeTextFile(`${folder}/script.sh`, scriptOf(steps));
      await Deno.mkdir(`${folder}/home`);
      const addresses = [1, 2, 3, 4, 5].map((each) => `ip addr add 10.0.0.${each}/24 dev lo`);
      const setup = ["set -e", "unset INIT_CWD", "ip link set lo up", ...addresses];
      const { code, stderr, stdout } = await new Deno.Command("unshare", {
        args: [...network!, "sh", "-c", [...setup, "exec bash script.sh"].join("\n")],
        cwd: folder,
        env: { ...await denoDir(), HOME: `${folder}/home`, NO_COLOR: "1", SKR8TR_KEY: "" },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
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
      assertEquals(code, 0, text(stdout) + text(stderr) + await read("prepare.output"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
