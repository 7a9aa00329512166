import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { parseManifest } from "../core/manifest/parse.ts";
import { planLaunch, type Surroundings, unsupported } from "./plan.ts";
import { autoUid, fenceCommand, type FenceTools, sandboxFault } from "./sandbox.ts";

const TOOLS: FenceTools = {
  bwrap: "/usr/bin/bwrap",
  setpriv: "/usr/bin/setpriv",
  env: "/usr/bin/env",
  root: true,
};
const AROUND: Surroundings = {
  name: "node-1",
  host: "10.0.0.5",
  path: "/usr/bin:/bin",
  workdir: "/srv",
  state: "/state",
  fence: TOOLS,
};
const SELF = { replica: "web.1", app: "web", index: 0, port: 8001 };

function spec(lines: string) {
  const parsed = parseManifest(`app web\n${lines}\n`);
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.apps[0]!;
}

const DENO = "  exec deno\n  args run --cached-only main.ts --allow-all\n  port 8001\n";

Deno.test("a Deno program's sandbox becomes its permission flags", () => {
  const lines = `${DENO}  volume {\n    path data\n  }\n` +
    "  sandbox {\n    read /etc/hosts\n    write spool\n    net 10.0.0.9:5432\n  }";
  const plan = planLaunch(spec(lines), SELF, AROUND);
  const own = "/state/replicas/web.1/home";
  assertEquals(plan.args, [
    "run",
    "--no-prompt",
    "--no-remote",
    `--allow-read=/etc/hosts,${own},/srv/spool,/state/volumes/data`,
    `--allow-write=${own},/srv/spool,/state/volumes/data`,
    "--allow-net=10.0.0.5:8001,10.0.0.9:5432",
    "--allow-env",
    "--cached-only",
    "main.ts",
    "--allow-all",
  ]);
  assertEquals([plan.fence, plan.uid], [undefined, undefined]);
  assertEquals(plan.paths?.map((each) => each.path), ["/etc/hosts", "/srv/spool"]);
});

Deno.test("a Deno program that grants itself something is refused on every node", () => {
  for (const flag of ["-A", "--allow-all", "--allow-read=/", "-R=/", "-N", "--permission-set=x"]) {
    const app = spec(`  exec deno\n  args run ${flag} main.ts\n  sandbox {\n    read /x\n  }`);
    assertMatch(unsupported(app, AROUND)!, /its args must not: -/, flag);
  }
  const task = spec("  exec deno\n  args task x\n  sandbox {\n    read /x\n  }");
  assertMatch(unsupported(task, AROUND)!, /begin with run/);
});

Deno.test("a native program is fenced in, under an account made of its app's name", () => {
  const plan = planLaunch(
    spec("  exec /opt/web\n  sandbox {\n    read /data\n    write /spool\n    net *\n  }"),
    SELF,
    AROUND,
  );
  assertEquals(plan.uid, autoUid("web"));
  assertNotEquals(autoUid("web"), autoUid("other"));
  assertEquals(plan.fence, {
    read: ["/data"],
    write: ["/state/replicas/web.1/home", "/spool"],
    net: true,
  });
  const words = fenceCommand(plan.fence!, TOOLS, "/opt/web", "/srv", plan.uid);
  const text = words.join(" ");
  assertMatch(text, /--ro-bind \/opt\/web \/opt\/web .*--ro-bind \/data \/data .*--bind \/spool/);
  assertMatch(text, / --chdir \/state\/replicas\/web\.1\/home -- /);
  assertMatch(text, /--no-new-privs --bounding-set=-all .*--default-signal=\S+ \/opt\/web$/);
  assertEquals(text.includes("--unshare-net"), false);
  const alone = { ...plan.fence!, net: false };
  assertEquals(fenceCommand(alone, TOOLS, "/bin/x", "/", 1).includes("--unshare-net"), true);
});

Deno.test("a node that cannot enforce a sandbox says why, and optional runs without", () => {
  const native = (more: string) => spec(`  exec /opt/web\n  sandbox {\n    ${more}\n  }`);
  const fault = (more: string, tools: Partial<FenceTools>) =>
    sandboxFault(native(more), { ...AROUND, fence: { ...TOOLS, ...tools } }) ?? "";
  assertMatch(fault("net *", { bwrap: "" }), /bubblewrap \(bwrap\) is missing/);
  assertMatch(fault("user auto", { root: false }), /needs root and setpriv/);
  assertMatch(fault("net 10.0.0.1", {}), /cannot narrow a native program's network/);
  assertEquals(fault("read /x", {}), "");
  assertEquals(fault("net *", { root: false }), "");
  const bare = { ...AROUND, fence: { ...TOOLS, bwrap: "" } };
  const optional = native("net *\n    optional yes");
  assertEquals(unsupported(optional, bare), null);
  const plan = planLaunch(optional, SELF, bare);
  assertEquals([plan.fence, plan.uid], [undefined, undefined]);
});
