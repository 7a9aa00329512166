import { assertEquals } from "@std/assert";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { planLaunch, specOfLaunch, unsupported } from "./plan.ts";

const AROUND = {
  name: "node-1",
  host: "10.0.0.5",
  path: "/usr/bin:/bin",
  workdir: "/srv",
  towerUrl: "http://10.0.0.1:7772",
};
const SELF = { replica: "api-7", app: "api", index: 2, port: 20_003 };

function spec(lines: string): AppSpec {
  const parsed = parseManifest(`app api\n  exec /bin/api\n${lines}\n`);
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.apps[0]!;
}

Deno.test("planLaunch() gives the node's variables, the manifest's, and no others", () => {
  const plan = planLaunch(spec("  port 8001\n  env {\n    LEVEL info\n  }"), SELF, AROUND);
  assertEquals(plan.env, {
    PATH: "/usr/bin:/bin",
    DENO_NO_UPDATE_CHECK: "1",
    HOST: "10.0.0.5",
    IP: "10.0.0.5",
    PORT: "20003",
    APP: "api",
    NODE: "node-1",
    REPLICA: "2",
    REPLICA_ID: "api-7",
    SKR8TR_TOWER: "http://10.0.0.1:7772",
    LEVEL: "info",
  });
});

Deno.test("planLaunch() replaces variables in arguments and environment", () => {
  const plan = planLaunch(
    spec(
      '  port 8001\n  args --at ${IP}:${PORT} "$$HOME" ${REPLICA}\n  env {\n    X ${APP}-${NODE}\n  }',
    ),
    SELF,
    AROUND,
  );
  assertEquals(plan.args, ["--at", "10.0.0.5:20003", "$HOME", "2"]);
  assertEquals(plan.env["X"], "api-node-1");
});

Deno.test("a literal PORT equal to the app's port stands for the replica's, another does not", () => {
  const port = (text: string) =>
    planLaunch(spec(`  port 8001\n  env {\n    PORT ${text}\n  }`), SELF, AROUND).env["PORT"];
  assertEquals([port("8001"), port("9001"), port("${PORT}")], ["20003", "9001", "20003"]);
});

Deno.test("planLaunch() resolves the folder against the node's", () => {
  const cwd = (lines: string) => planLaunch(spec(lines), SELF, AROUND).cwd;
  assertEquals([cwd(""), cwd("  cwd /opt"), cwd("  cwd sub")], ["/srv", "/opt", "/srv/sub"]);
});

Deno.test("unsupported() names what this node cannot do", () => {
  assertEquals(unsupported(spec(""), AROUND), null);
  assertEquals(unsupported(spec("  secret {\n    KEY name\n  }"), AROUND), null);
  assertEquals(unsupported(spec("  sandbox {\n    optional yes\n  }"), AROUND), null);
  assertEquals(
    unsupported(spec("  sandbox {\n    read /x\n  }"), AROUND)?.includes("sandbox"),
    true,
  );
});

Deno.test("specOfLaunch() takes a v1 launch literally", () => {
  const launch = {
    name: "old",
    bin: "/bin/old",
    port: 9001,
    args: "--x $HOME  y",
    env: { COST: "5$" },
    restart: "never",
    drainS: 3,
  } as const;
  const old = specOfLaunch(launch);
  const plan = planLaunch(old, { replica: "v1-old-1", app: "old", index: 0, port: 9001 }, AROUND);
  assertEquals(plan.args, ["--x", "$HOME", "y"]);
  assertEquals(plan.env["COST"], "5$");
  assertEquals([old.drainMs, old.restart, old.port], [3000, "never", {
    number: 9001,
    fixed: true,
  }]);
});
