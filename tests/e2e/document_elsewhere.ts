// Commands of the documents that document_steps.ts does not run, and who does.

/** Pages whose blocks a test of their own types as they stand, and the blocks that it types. */
export const FOLLOWED: Readonly<Record<string, readonly string[]>> = {
  "README.md": ["sh", "sh cluster", "sh conductor", "sh daemons"],
  "docs/TUTORIAL.md": ["sh", "sh cluster"],
  "docs/WORKLOADS.md": ["sh", "sh cluster"],
};

const WHOLE = "it takes minutes, or the whole machine; CI itself is this";
const MEASURES = "it measures for minutes, on a quiet machine; what is kept of it is tested";
const SETTLED = "it has a test of its own, in which it has what it needs";

/** What is run elsewhere: the command -> why, and where its substance is tested. */
export const ELSEWHERE: Readonly<Record<string, readonly [why: string, where: string]>> = {
  "npx -y deno@2.9.6 task cluster": ["it fetches Deno; CI does it so", ".ci/run"],
  "npx -y deno@2.9.6 task test": [WHOLE, ".ci/run"],
  "deno task test": [WHOLE, ".ci/run"],
  "deno task check": ["CI runs it in `deno task ok`", ".ci/run"],
  "deno task test guests": [WHOLE, "tests/guest/shop_test.ts"],
  "deno task test:guest": ["it emulates a machine for minutes", "tests/guest/limits_test.ts"],
  "sudo deno task guests": ["it needs root and virtual machines", "tests/guest/shop_test.ts"],
  "deno task docs": ["it writes into the clone", "docs/generate_test.ts"],
  "deno task docs --figures": ["it writes into the clone", "docs/generate_test.ts"],
  "deno task deck": ["it writes into the clone", "conductor/live/deck_test.ts"],
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
  "deno task soak --several --minutes 60": [
    "an hour; one minute of one conductor's is a test",
    "tests/e2e/soak_test.ts",
  ],
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
export const NO_COMMANDS = /^skr8tr (log LOG|box 1|seal 1|static key\||operator static key\|)/;
