// Every key: what may be written, what it means, and what is refused, with its place.

import { assert, assertEquals } from "@std/assert";
import { APP_REPLICAS, MANIFEST_APPS, MANIFEST_BYTES } from "../limits.ts";
import { formatError, formatErrors } from "./errors.ts";
import { allKeys } from "./explain.ts";
import { parseManifest } from "./parse.ts";
import type { AppSpec } from "./spec.ts";

const SAMPLE = `app product-svc
  exec     /opt/sovereign-market/bin/product-svc
  port     8001
  replicas 2

  env {
    PORT 8001
    RUST_LOG info
  }

  health {
    check    GET /health 200
    interval 10s
    timeout  3s
    retries  3
  }

  scale {
    min       1
    max       4
    cpu-above 70
    cpu-below 20
  }
`;

const DEFAULTS: Omit<AppSpec, "name" | "exec"> = {
  args: [],
  type: "service",
  replicas: 1,
  gpu: false,
  restart: "always",
  drainMs: 5_000,
  graceMs: 2_000,
  stopSignal: "SIGTERM",
  namespace: "default",
  needs: [],
  env: {},
  secrets: {},
  volumes: [],
  rollout: {
    order: "start-first",
    batch: 1,
    settleMs: 8_000,
    timeoutMs: 120_000,
    onFailure: "rollback",
  },
  routes: [],
  place: { require: [], prefer: [], spread: "node", avoid: [], near: [] },
};

function apps(text: string): readonly AppSpec[] {
  const parsed = parseManifest(text);
  assert(parsed.ok, parsed.ok ? "" : formatErrors(parsed.errors));
  return parsed.apps;
}

function only(text: string): AppSpec {
  const all = apps(text);
  assertEquals(all.length, 1);
  return all[0]!;
}

Deno.test("parseManifest() reads the sample of the standard as it stands", () => {
  assertEquals(only(SAMPLE), {
    ...DEFAULTS,
    name: "product-svc",
    exec: "/opt/sovereign-market/bin/product-svc",
    port: { number: 8001, fixed: false },
    replicas: 2,
    env: { PORT: "8001", RUST_LOG: "info" },
    health: {
      check: { kind: "get", path: "/health", status: 200 },
      intervalMs: 10_000,
      timeoutMs: 3_000,
      retries: 3,
      startPeriodMs: 0,
    },
    scale: { min: 1, max: 4, cpuAbove: 70, cpuBelow: 20, cooldownMs: 30_000 },
  });
});

Deno.test("parseManifest() fills in the defaults", () => {
  assertEquals(only("app a\n  exec /a\n"), { ...DEFAULTS, name: "a", exec: "/a" });
});

Deno.test("parseManifest() keeps many apps in their order", () => {
  assertEquals(apps("app b\n  exec /b\napp a\n  exec /a").map((app) => app.name), ["b", "a"]);
});

// --- what may be written ------------------------------------------------------------------------

interface Right {
  /** Lines below `app a`; `exec /a` and `port 1` are added unless `bare`. */
  readonly lines: string;
  readonly means: Partial<AppSpec>;
  readonly bare?: boolean;
}

const HEALTH = { intervalMs: 10_000, timeoutMs: 2_000, retries: 3, startPeriodMs: 0 };
const ROUTE = { path: "/", sticky: "none", weight: 1, tlsRequired: false } as const;
const ROLLOUT = DEFAULTS.rollout;
const PLACE = DEFAULTS.place;

const RIGHT: readonly Right[] = [
  { bare: true, lines: "exec server", means: { exec: "server" } },
  { bare: true, lines: "bin /opt/x", means: { exec: "/opt/x" } },
  { bare: true, lines: 'exec "/opt/my files/x"', means: { exec: "/opt/my files/x" } },
  {
    bare: true,
    lines: "exec ${ARTIFACT}/x\nartifact { from dist }",
    means: { exec: "${ARTIFACT}/x", artifact: { from: "dist" } },
  },
  {
    lines: `args --port \${PORT} 'two words' "a\\nb" x=\\ y # no`,
    means: { args: ["--port", "${PORT}", "two words", "a\nb", "x= y"] },
  },
  { lines: "args $$HOME $HOME", means: { args: ["$$HOME", "$HOME"] } },
  { lines: "args it#s", means: { args: ["it#s"] } },
  { lines: "args 'a # b' # c", means: { args: ["a # b"] } },
  { lines: "type service", means: { type: "service" } },
  { lines: "type process", means: { type: "service" } },
  { lines: "type job", means: { type: "job", restart: "on-failure" } },
  { lines: "type job\nrestart never", means: { type: "job", restart: "never" } },
  { lines: "type job\nrestart always", means: { type: "job", restart: "always" } },
  { lines: "type wasm", means: { type: "wasm" } },
  { lines: "type system", means: { type: "system" } },
  {
    bare: true,
    lines: "exec /a\nport 65535",
    means: { exec: "/a", port: { number: 65535, fixed: false } },
  },
  {
    bare: true,
    lines: "exec /a\nport 80  fixed",
    means: { exec: "/a", port: { number: 80, fixed: true } },
  },
  { lines: "replicas 0", means: { replicas: 0 } },
  { lines: `replicas ${APP_REPLICAS}`, means: { replicas: APP_REPLICAS } },
  { lines: "ram 512kb", means: { ramBytes: 512 * 1024 } },
  { lines: "ram 256mb", means: { ramBytes: 256 * 1024 ** 2 } },
  { lines: "ram 4gb", means: { ramBytes: 4 * 1024 ** 3 } },
  { lines: "ram 16G", means: { ramBytes: 16 * 1024 ** 3 } },
  { lines: "ram 1.5GiB", means: { ramBytes: 1536 * 1024 ** 2 } },
  { lines: "ram 2048b", means: { ramBytes: 2048 } },
  { lines: "cpu 0.5", means: { cpu: 0.5 } },
  { lines: "cpu 2", means: { cpu: 2 } },
  { lines: "gpu true", means: { gpu: true } },
  { lines: "gpu yes", means: { gpu: true } },
  { lines: "gpu no", means: { gpu: false } },
  { lines: "gpu false", means: { gpu: false } },
  { lines: "restart on-failure", means: { restart: "on-failure" } },
  { lines: "drain 500ms", means: { drainMs: 500 } },
  { lines: "drain 0s", means: { drainMs: 0 } },
  { lines: "drain 5m", means: { drainMs: 300_000 } },
  { lines: "grace 1h", means: { graceMs: 3_600_000 } },
  { lines: "grace 1.5s", means: { graceMs: 1_500 } },
  { lines: "user www-data", means: { user: "www-data" } },
  { lines: "user 1000", means: { user: "1000" } },
  { lines: "cwd /srv/app", means: { cwd: "/srv/app" } },
  { lines: "stop-signal SIGINT", means: { stopSignal: "SIGINT" } },
  { lines: "stop-signal QUIT", means: { stopSignal: "SIGQUIT" } },
  { lines: "namespace team-1", means: { namespace: "team-1" } },
  { lines: "needs db cache\nneeds queue", means: { needs: ["db", "cache", "queue"] } },
  {
    lines: "type job\nretries 0\ntimeout 10m\nschedule 0 3 * * * {\n  missed skip\n}",
    means: {
      type: "job",
      restart: "on-failure",
      retries: 0,
      timeoutMs: 600_000,
      schedule: { cron: "0 3 * * *", overlap: "skip", missed: "skip" },
    },
  },
  {
    lines: "type job\nschedule 0  3 * * mon",
    means: {
      type: "job",
      restart: "on-failure",
      schedule: { cron: "0 3 * * mon", overlap: "skip", missed: "once" },
    },
  },
  ...[
    "schedule 0 3 * * *\ntimezone Europe/Berlin\noverlap replace",
    "schedule 0 3 * * * {\n  timezone Europe/Berlin\n  overlap replace\n}",
    "schedule 0 3 * * *\n  timezone Europe/Berlin\n  overlap replace",
    "schedule\n  cron 0 3 * * *\n  timezone Europe/Berlin\n  overlap replace",
    'schedule "0 3 * * *" {\n  timezone Europe/Berlin\n  overlap replace\n}',
    "schedule { cron 0 3 * * *; timezone Europe/Berlin; overlap replace }",
  ].map((lines): Right => ({
    lines: `type job\n${lines}`,
    means: {
      type: "job",
      restart: "on-failure",
      schedule: {
        cron: "0 3 * * *",
        timezone: "Europe/Berlin",
        overlap: "replace",
        missed: "once",
      },
    },
  })),
  {
    lines: 'env { A 1; _b2 ""; __proto__ x }',
    means: { env: Object.fromEntries([["A", "1"], ["_b2", ""], ["__proto__", "x"]]) },
  },
  {
    lines: "env {\n  URL http://${IP}:${PORT}/#a\n}",
    means: { env: { URL: "http://${IP}:${PORT}/#a" } },
  },
  { lines: "env {}", means: { env: {} } },
  {
    lines: "secret { TOKEN; KEY shop/key }",
    means: { secrets: { TOKEN: "TOKEN", KEY: "shop/key" } },
  },
  {
    lines: "volume { path data; env DATA }\nvolume { path /srv/x; shared yes }",
    means: {
      volumes: [{ path: "data", env: "DATA", shared: false }, { path: "/srv/x", shared: true }],
    },
  },
  {
    lines: "build { run make -C 'my dir'; out dist }",
    means: { build: { run: "make -C 'my dir'", out: "dist" } },
  },
  {
    lines: `artifact {\n  from dist\n  to app/bin\n  sha256 ${
      "AB".repeat(32)
    }\n  bytes 12\n  form file\n}`,
    means: {
      artifact: {
        from: "dist",
        to: "app/bin",
        sha256: "ab".repeat(32),
        bytes: 12,
        form: "file",
      },
    },
  },
  {
    bare: true,
    lines: "serve { static dist; port 4200; spa yes }",
    means: {
      port: { number: 4200, fixed: false },
      serve: { static: "dist", port: 4200, spa: true },
    },
  },
  {
    bare: true,
    lines: "port 4200 fixed\nserve { static dist }",
    means: {
      port: { number: 4200, fixed: true },
      serve: { static: "dist", port: 4200, spa: false },
    },
  },
  { lines: "health { check TCP }", means: { health: { ...HEALTH, check: { kind: "tcp" } } } },
  {
    lines: "health { check get /h?x=1 }",
    means: { health: { ...HEALTH, check: { kind: "get", path: "/h?x=1", status: 200 } } },
  },
  {
    lines: "health { check GET /h 204; interval 1s; timeout 100ms; retries 1; start-period 1m }",
    means: {
      health: {
        check: { kind: "get", path: "/h", status: 204 },
        intervalMs: 1_000,
        timeoutMs: 100,
        retries: 1,
        startPeriodMs: 60_000,
      },
    },
  },
  {
    bare: true,
    lines: 'exec /a\nhealth { check EXEC sh -c "a; # b" }',
    means: {
      exec: "/a",
      health: { ...HEALTH, check: { kind: "exec", command: 'sh -c "a; # b"' } },
    },
  },
  { lines: "scale { }", means: { scale: { min: 1, max: 1, cooldownMs: 30_000 } } },
  {
    lines: "replicas 3\nscale\n  cpu-above 70%",
    means: { replicas: 3, scale: { min: 1, max: 3, cpuAbove: 70, cooldownMs: 30_000 } },
  },
  {
    lines:
      "scale { min 0; max 4; cpu-above 100; cpu-below 0%; rps-above 0.5; idle-after 10m; cooldown 1s }\nroute { }",
    means: {
      scale: {
        min: 0,
        max: 4,
        cpuAbove: 100,
        cpuBelow: 0,
        rpsAbove: 0.5,
        idleAfterMs: 600_000,
        cooldownMs: 1_000,
      },
      routes: [ROUTE],
    },
  },
  {
    lines:
      "rollout { order stop-first; batch 2; settle 0s; timeout 1m; on-failure pause; canary 10% 60s }",
    means: {
      rollout: {
        order: "stop-first",
        batch: 2,
        settleMs: 0,
        timeoutMs: 60_000,
        onFailure: "pause",
        canary: { percent: 10, durationMs: 60_000, minRequests: 100 },
      },
    },
  },
  {
    lines: "rollout { canary 5 2m min-requests 20 }",
    means: {
      rollout: { ...ROLLOUT, canary: { percent: 5, durationMs: 120_000, minRequests: 20 } },
    },
  },
  {
    lines:
      "route { host Shop.Example.com; path /api/; strip yes }\nroute { path /api/products; strip /api }\nroute { path /x; strip no }",
    means: {
      routes: [
        { ...ROUTE, host: "shop.example.com", path: "/api", strip: "/api" },
        { ...ROUTE, path: "/api/products", strip: "/api" },
        { ...ROUTE, path: "/x" },
      ],
    },
  },
  {
    lines:
      "route { rate 100/s; burst 5; per header:X-Key; sticky cookie; timeout 5s; retries 0; weight 0; tls required }",
    means: {
      routes: [{
        path: "/",
        rate: { perSecond: 100, burst: 5, per: { header: "x-key" } },
        sticky: "cookie",
        timeoutMs: 5_000,
        retries: 0,
        weight: 0,
        tlsRequired: true,
      }],
    },
  },
  {
    lines: "route { rate 30/m }",
    means: { routes: [{ ...ROUTE, rate: { perSecond: 0.5, burst: 1, per: "ip" } }] },
  },
  {
    lines:
      "place\n  require zone=eu disk=ssd\n  require os=linux\n  prefer rack=3\n  spread label:zone\n  avoid db\n  near cache web",
    means: {
      place: {
        require: [{ key: "zone", value: "eu" }, { key: "disk", value: "ssd" }, {
          key: "os",
          value: "linux",
        }],
        prefer: [{ key: "rack", value: "3" }],
        spread: { label: "zone" },
        avoid: ["db"],
        near: ["cache", "web"],
      },
    },
  },
  { lines: "place { spread node }", means: { place: PLACE } },
  {
    lines:
      "sandbox { user auto; read /etc 'my dir'; read /usr; write data; net db:5432 10.0.0.0/8; optional yes }",
    means: {
      sandbox: {
        user: "auto",
        read: ["/etc", "my dir", "/usr"],
        write: ["data"],
        net: ["db:5432", "10.0.0.0/8"],
        optional: true,
      },
    },
  },
  { lines: "sandbox {}", means: { sandbox: { read: [], write: [], net: [], optional: false } } },
  { lines: "before { exec /m }", means: { before: { exec: "/m", args: [], timeoutMs: 300_000 } } },
  {
    lines: "before { exec /m; args --all 'a;b'; timeout 10m }",
    means: { before: { exec: "/m", args: ["--all", "a;b"], timeoutMs: 600_000 } },
  },
  {
    bare: true,
    lines: "type vm\nvm { kernel k }",
    means: {
      type: "vm",
      vm: { hypervisor: "qemu", kernel: "k", vcpus: 1, memoryBytes: 512 * 1024 ** 2, args: [] },
    },
  },
  {
    bare: true,
    lines:
      "type vm\nvm { hypervisor firecracker; kernel k; initrd i; rootfs r; vcpus 2; memory 1gb; net tap0; args console=ttyS0 quiet }",
    means: {
      type: "vm",
      vm: {
        hypervisor: "firecracker",
        kernel: "k",
        initrd: "i",
        rootfs: "r",
        vcpus: 2,
        memoryBytes: 1024 ** 3,
        net: "tap0",
        args: ["console=ttyS0", "quiet"],
      },
    },
  },
  {
    lines: "x-team blue\nx-team red",
    means: { extra: [{ key: "x-team", value: "blue" }, { key: "x-team", value: "red" }] },
  },
  {
    lines: 'x-json {"a": [1, 2]}\nx-note a {b}; c',
    means: {
      extra: [{ key: "x-json", value: '{"a": [1, 2]}' }, { key: "x-note", value: "a {b}; c" }],
    },
  },
  {
    lines:
      "x-meta {\n  anything at all\n  deep {\n    a 1\n  }\n}\nhealth { check TCP; x-why not }",
    means: {
      extra: [{
        key: "x-meta",
        lines: [{ key: "anything", value: "at all" }, {
          key: "deep",
          lines: [{ key: "a", value: "1" }],
        }],
      }],
      health: { ...HEALTH, check: { kind: "tcp" }, extra: [{ key: "x-why", value: "not" }] },
    },
  },
];

function indented(lines: string): string {
  return lines.split("\n").map((line) => `  ${line}\n`).join("");
}

for (const { lines, means, bare } of RIGHT) {
  Deno.test(`parseManifest() understands ${lines.replaceAll("\n", " / ")}`, () => {
    const base = bare ? {} : { exec: "/a", port: { number: 1, fixed: false } };
    const text = `app a\n${bare ? "" : "  exec /a\n  port 1\n"}${indented(lines)}`;
    assertEquals(only(text), { ...DEFAULTS, name: "a", ...base, ...means } as AppSpec);
  });
}

Deno.test("parseManifest() is tried above with every key of the table", () => {
  const written = RIGHT.map((right) => right.lines).join("\n");
  for (const { path } of allKeys()) {
    const name = path.split(".").at(-1)!;
    assert(
      name === "app" || new RegExp(`(^|[\\s{;])${name}[\\s]`).test(written),
      `no case has ${path}`,
    );
  }
});

// --- what is refused ----------------------------------------------------------------------------

/** Lines below `app a / exec /a / port 1` (lines 1 to 3), and the errors, line 1 being the first. */
const WRONG: readonly (readonly [lines: string, ...mistakes: string[]])[] = [
  ["replcas 2", '1:1+7 unknown-key, did you mean "replicas"?'],
  ["memory 5mb", '1:1+6 unknown-key, did you mean "ram"?'],
  ["interval 5s", "1:1+8 unknown-key"],
  ["health {\n  check TCP\n  intervall 5s\n}", '3:3+9 unknown-key, did you mean "interval"?'],
  ["health {\n  check TCP\n  port 5\n}", "3:3+4 unknown-key"],
  ["port 2", "1:1+4 duplicate-key"],
  ["bin /b", "1:1+3 duplicate-key"],
  ["gpu yes\ngpu yes", "2:1+3 duplicate-key"],
  ["env { A 1 }\nenv { B 1 }", "2:1+3 duplicate-key"],
  ["env { A 1; A 2 }", "1:12+1 duplicate-key"],
  ["health { check TCP; retries 1; retries 2 }", "1:32+7 duplicate-key"],
  ["needs db cache db", "1:7+11 duplicate-key"],
  ["replicas", "1:1+8 missing-value"],
  ["args", "1:1+4 missing-value"],
  ["args # none", "1:1+4 missing-value"],
  ["env { A }", "1:7+1 missing-value"],
  ["health {}", "1:1+6 missing-key"],
  ["health { check }", "1:10+5 missing-value"],
  ["replicas two", "1:10+3 wrong-kind"],
  ["replicas 1.5", "1:10+3 wrong-kind"],
  ["replicas -1", "1:10+2 out-of-range"],
  [`replicas ${APP_REPLICAS + 1}`, "1:10+6 out-of-range"],
  ["replicas 99999999999999999999", "1:10+20 wrong-kind"],
  ["replicas 0x10", "1:10+4 wrong-kind"],
  ["args 'open", "1:6+5 quoting"],
  ['args a "b # c', "1:8+6 quoting"],
  ["args a \\", "1:8+1 quoting"],
  ["args ${PROT}", '1:6+7 unknown-variable, did you mean "PORT"?'],
  ["args a 'b ${x}' ${", "1:11+4 unknown-variable", "1:17+2 unknown-variable"],
  ["args ${ARTIFACT}", "1:6+11 missing-key"],
  ['env {\n  A "\\t${NO}"\n}', "2:8+5 unknown-variable"],
  ["type servce", '1:6+6 wrong-kind, did you mean "service"?'],
  ["type Service", '1:6+7 wrong-kind, did you mean "service"?'],
  ["ram 256", "1:5+3 wrong-kind"],
  ["ram 256 mb", "1:5+6 wrong-kind"],
  ["ram 1b", "1:5+2 out-of-range"],
  ["ram 1.0001kb", "1:5+8 wrong-kind"],
  ["cpu 0", "1:5+1 out-of-range"],
  ["cpu half", "1:5+4 wrong-kind"],
  ["cpu 0.0001", "1:5+6 wrong-kind"],
  ["gpu 1", "1:5+1 wrong-kind"],
  ["gpu True", "1:5+4 wrong-kind"],
  ["restart sometimes", "1:9+9 wrong-kind"],
  ["drain 10", "1:7+2 wrong-kind"],
  ["drain 10 s", "1:7+4 wrong-kind"],
  ["drain 1s500ms", "1:7+7 wrong-kind"],
  ["drain 2d", "1:7+2 out-of-range"],
  ["drain -1s", "1:7+3 out-of-range"],
  ["drain 0.5ms", "1:7+5 wrong-kind"],
  ["user Root", "1:6+4 wrong-kind"],
  ["cwd /my dir", "1:9+3 wrong-kind"],
  ["stop-signal SIGFOO", "1:13+6 wrong-kind"],
  ["stop-signal SIGTREM", '1:13+7 wrong-kind, did you mean "SIGTERM"?'],
  ["namespace -x", "1:11+2 wrong-kind"],
  ["needs a", "1:7+1 conflict"],
  ["needs Db x y_z", "1:7+2 wrong-kind", "1:12+3 wrong-kind"],
  ["schedule 0 3 * * *", "1:10+9 conflict"],
  ["retries 3", "1:9+1 conflict"],
  ["timeout 3s", "1:9+2 conflict"],
  ["type job\nscale {\n  max 3\n}", "2:1+5 conflict"],
  ["timezone UTC", "1:10+3 conflict"],
  ["type job\noverlap skip", "2:9+4 missing-key"],
  ["type job\nschedule 0 3 * *", "2:10+7 wrong-kind"],
  ["type job\nschedule 0 25 * * *", "2:12+2 wrong-kind"],
  ["type job\nschedule 0 0 30 2 *", "2:14+4 out-of-range"],
  ["type job\nschedule { timezone UTC }", "2:1+8 missing-key"],
  ["type job\nschedule 0 3 * * * {\n  timezone Mars/Base\n}", "3:12+9 wrong-kind"],
  ["type job\nschedule 0 3 * * * {\n  timezone UTC\n}\ntimezone UTC", "5:10+3 conflict"],
  ["type job\nschedule 0 3 * * * {\n  cron 0 4 * * *\n}", "3:3+4 duplicate-key"],
  ["env { PORT=80 }", "1:7+7 wrong-kind"],
  ["env { 2A x }", "1:7+2 wrong-kind"],
  ["env { x-a 1 }", "1:7+3 wrong-kind"],
  ["env {\n  A {\n  }\n}", "2:5+1 unexpected-value"],
  ["secret { A no/../no! }", "1:12+9 wrong-kind"],
  ["secret { A }\nenv { A 1 }", "1:1+6 conflict"],
  ["volume { env D }", "1:1+6 missing-key"],
  ["volume { path ../x }", "1:15+4 wrong-kind"],
  ["volume { path a }\nvolume { path a }", "2:1+6 conflict"],
  ["volume { path a; env D }\nenv { D 1 }", "1:1+6 conflict"],
  ["build { out x }", "1:1+5 missing-key"],
  ["build { run make 'x }", "1:18+2 quoting"],
  ["artifact { to x }", "1:1+8 missing-key"],
  ["artifact { from x; to /abs }", "1:23+4 wrong-kind"],
  ["artifact { from x; to a/../../b }", "1:23+9 wrong-kind"],
  ["artifact { from x; sha256 abc }", "1:27+3 wrong-kind"],
  ["serve { static x }", "1:1+5 conflict"],
  ["health { check PING }", "1:16+4 wrong-kind"],
  ["health { check GET }", "1:16+3 wrong-kind"],
  ["health { check GET health }", "1:16+10 wrong-kind"],
  ["health { check GET / 99 }", "1:22+2 out-of-range"],
  ["health { check GET / OK }", "1:22+2 wrong-kind"],
  ["health { check TCP 80 }", "1:16+6 wrong-kind"],
  ["health { check EXEC }", "1:20+1 wrong-kind"],
  ["health { check EXEC sh -c 'x }", "1:27+2 quoting"],
  ["health { check TCP; interval 0s }", "1:30+2 out-of-range"],
  ["health { check TCP; retries 0 }", "1:29+1 out-of-range"],
  ["scale { min 5; max 2 }", "1:13+1 conflict"],
  ["scale { max 0 }", "1:13+1 out-of-range"],
  ["scale { cpu-above 101 }", "1:19+3 out-of-range"],
  ["scale { cpu-above 50; cpu-below 60 }", "1:33+2 conflict"],
  ["scale { cpu-above 7.5 }", "1:19+3 wrong-kind"],
  ["scale { idle-after 10m }", "1:1+5 conflict"],
  ["scale { min 0 }", "1:13+1 conflict"],
  ["rollout { order first }", "1:17+5 wrong-kind"],
  ["rollout { batch 0 }", "1:17+1 out-of-range"],
  ["rollout { on-failure retry }", "1:22+5 wrong-kind"],
  ["rollout { canary 10% }", "1:18+3 wrong-kind"],
  [
    "rollout { canary 0% 10 min-requests 0 }",
    "1:18+2 out-of-range",
    "1:21+2 wrong-kind",
    "1:37+1 out-of-range",
  ],
  ["rollout { canary 10% 10s requests 5 }", "1:18+18 wrong-kind"],
  ["route { host bad_host }", "1:14+8 wrong-kind"],
  ["route { host x:80 }", "1:14+4 wrong-kind"],
  ["route { path api }", "1:14+3 wrong-kind"],
  ["route { path /a/../b }", "1:14+7 wrong-kind"],
  ["route { path /a//b }", "1:14+5 wrong-kind"],
  ["route { path /a?b }", "1:14+4 wrong-kind"],
  ["route { path /api; strip /ap }", "1:26+3 conflict"],
  ["route { strip maybe }", "1:15+5 wrong-kind"],
  ["route { rate 100 }", "1:14+3 wrong-kind"],
  ["route { rate 0/s }", "1:14+3 out-of-range"],
  ["route { burst 5 }", "1:15+1 missing-key"],
  ["route { per ip }", "1:13+2 missing-key"],
  ["route { rate 1/s; per user }", "1:23+4 wrong-kind"],
  ["route { sticky yes }", "1:16+3 wrong-kind"],
  ["route { tls no }", "1:13+2 wrong-kind"],
  ["route { path /a }\nroute { path /a/ }", "2:1+5 conflict"],
  ["place { require zone }", "1:17+4 wrong-kind"],
  ["place { require =eu a=b }", "1:17+3 wrong-kind"],
  ["place { spread zone }", "1:16+4 wrong-kind"],
  ["place { avoid UP }", "1:15+2 wrong-kind"],
  ["sandbox { net 'a b' }", "1:15+5 wrong-kind"],
  ["sandbox { optional maybe }", "1:20+5 wrong-kind"],
  ["before { args x }", "1:1+6 missing-key"],
  ["before { exec /m now }", "1:18+3 wrong-kind"],
  ["vm { kernel k }", "1:1+2 conflict"],
  ["type vm", "1:6+2 missing-key", "-1:6+2 conflict"],
];

/** Each error as `line:column+length code, hint`, the first of `lines` being line 1. */
function mistakes(text: string, linesBefore = 0, indent = 0): readonly string[] {
  const parsed = parseManifest(text);
  if (parsed.ok) return [];
  return parsed.errors.map((error) => {
    const hint = error.nearest === undefined ? "" : `, did you mean "${error.nearest}"?`;
    const place = `${error.line - linesBefore}:${error.column - indent}+${error.length}`;
    return `${place} ${error.code}${hint}`;
  });
}

for (const [lines, ...expected] of WRONG) {
  Deno.test(`parseManifest() refuses ${lines.replaceAll("\n", " / ")}`, () => {
    const text = `app a\n  exec /a\n  port 1\n${indented(lines)}`;
    assertEquals(mistakes(text, 3, 2).toSorted(), expected.toSorted());
  });
}

const WRONG_FILES: Readonly<Record<string, readonly [text: string, ...mistakes: string[]]>> = {
  "an app without a name": ["app\n  exec /a\n", "1:1+3 missing-value"],
  "a name in capitals": ["app Shop\n  exec /a\n", "1:5+4 wrong-kind"],
  "a name of two words": ["app my shop\n  exec /a\n", "1:5+7 wrong-kind"],
  "a name that is too long": [`app ${"a".repeat(64)}\n  exec /a\n`, "1:5+64 wrong-kind"],
  "two apps of one name": ["app a\n  exec /a\napp a\n  exec /b\n", "3:5+1 duplicate-key"],
  "an app without a program": ["app a\n  port 1\n", "1:5+1 missing-key"],
  "an app without anything": ["app a\napp b\n", "1:5+1 missing-key", "2:5+1 missing-key"],
  "arguments behind the program": ["app a\n  exec /bin/a --x\n", "2:15+3 wrong-kind"],
  "an empty program": ['app a\n  exec ""\n', "2:8+2 wrong-kind"],
  "port 0": ["app a\n  exec /a\n  port 0\n", "3:8+1 out-of-range"],
  "port 65536": ["app a\n  exec /a\n  port 65536\n", "3:8+5 out-of-range"],
  "a port that is a word": ["app a\n  exec /a\n  port http\n", "3:8+4 wrong-kind"],
  "a port with another word": [
    "app a\n  exec /a\n  port 80 fxed\n",
    '3:11+4 wrong-kind, did you mean "fixed"?',
  ],
  "a wrong port, without blaming what needs it": [
    "app a\n  exec /a\n  port 0\n  route {}\n  health { check TCP }\n  args ${PORT}\n",
    "3:8+1 out-of-range",
  ],
  "a GET check without a port": [
    "app a\n  exec /a\n  health { check GET / }\n",
    "3:3+6 missing-key",
  ],
  "a TCP check without a port": ["app a\n  exec /a\n  health { check TCP }\n", "3:3+6 missing-key"],
  "a route without a port": ["app a\n  exec /a\n  route { path /a }\n", "3:3+5 missing-key"],
  "${PORT} without a port": ["app a\n  exec /a\n  env { P ${PORT} }\n", "3:3+3 missing-key"],
  "a static server without a port": ["app a\n  serve { static x }\n", "2:3+5 missing-key"],
  "a static server at another port": [
    "app a\n  port 1\n  serve { static x; port 2 }\n",
    "3:3+5 conflict",
  ],
  "a static server as a job": [
    "app a\n  type job\n  port 1\n  serve { static x }\n",
    "4:3+5 conflict",
  ],
};

for (const [name, [text, ...expected]] of Object.entries(WRONG_FILES)) {
  Deno.test(`parseManifest() refuses ${name}`, () => assertEquals(mistakes(text), expected));
}

Deno.test("parseManifest() reports every mistake of a file at once, in its order", () => {
  const text = `app One
  replcas 2
  exec /bin/foo --flag
  port 70000
  health {
    check GET health
    timeout 3
  }
  args 'unclosed
app two
  port 80
  port 81
  scale
    min 5
    max 2
`;
  assertEquals(mistakes(text), [
    "1:5+3 wrong-kind",
    '2:3+7 unknown-key, did you mean "replicas"?',
    "3:17+6 wrong-kind",
    "4:8+5 out-of-range",
    "6:11+10 wrong-kind",
    "7:13+1 wrong-kind",
    "9:8+9 quoting",
    "10:5+3 missing-key",
    "12:3+4 duplicate-key",
    "14:9+1 conflict",
  ]);
});

Deno.test("parseManifest() puts the file, the line and the underline into its errors", () => {
  const parsed = parseManifest("app shop\n  exec /a\n  replcas 2\n", "shop.skr8tr");
  assert(!parsed.ok);
  assertEquals(
    formatError(parsed.errors[0]!),
    'shop.skr8tr:3:3: unknown key "replcas" in app "shop": did you mean "replicas"?\n' +
      "  3 |   replcas 2\n" +
      "    |   ^^^^^^^",
  );
});

Deno.test("parseManifest() says where a key belongs, and where a key stood first", () => {
  const parsed = parseManifest("app a\n  exec /a\n  interval 5s\n  bin /b\n");
  assert(!parsed.ok);
  assertEquals(parsed.errors.map((error) => error.message), [
    'unknown key "interval" in app "a"; it belongs in "health"',
    '"bin" is given twice; first as "exec" on line 2',
  ]);
});

Deno.test("parseManifest() reads no more than it may", () => {
  const long = `app a\n  exec /a\n#${"x".repeat(MANIFEST_BYTES)}`;
  assertEquals(mistakes(long), ["1:1+1 too-large"]);
  const wide = `app a\n  exec /a\n#${"\u4e16".repeat(MANIFEST_BYTES / 3)}`;
  assertEquals(mistakes(wide), ["1:1+1 too-large"]);
  const fits = "app a\n  exec /a\n#";
  assertEquals(apps(fits + "x".repeat(MANIFEST_BYTES - fits.length)).length, 1);
  const many = Array.from(
    { length: MANIFEST_APPS + 1 },
    (_, index) => `app a${index}\n  exec /a\n`,
  );
  assertEquals(mistakes(many.join("")), [`${2 * MANIFEST_APPS + 1}:1+3 too-large`]);
  assertEquals(apps(many.slice(1).join("")).length, MANIFEST_APPS);
});
