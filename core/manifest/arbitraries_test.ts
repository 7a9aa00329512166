// Specifications and texts made by chance, for the properties of parser, canonical form and
// formatter.

import fc from "fast-check";
import type * as Spec from "./spec.ts";

/** Optional fields are absent rather than undefined, as in parsed specifications. */
function record<T>(fields: Record<string, fc.Arbitrary<unknown>>, required: readonly string[]) {
  return fc.record(fields, { requiredKeys: [...required] }) as unknown as fc.Arbitrary<T>;
}

const anyCharacter = fc.string({ unit: "binary", maxLength: 12 })
  .map((text) => text.replace(/[\0\p{Cs}]/gu, ""));
const awkward = fc.string({
  unit: fc.constantFrom(..."ab \t\n\"'\\#{};=:/\u00a0\u202e\ufeff\ufffd\u0007\u{1f600}"),
  maxLength: 12,
});
/** Text for arguments and the environment: dollars only where they mean something. */
const freeText = fc.array(
  fc.oneof(
    anyCharacter.map((text) => text.replaceAll("$", "")),
    awkward,
    fc.constantFrom(
      "$$",
      "$${x}",
      "${APP}",
      "${NODE}",
      "${REPLICA}",
      "${IP}",
      "$x",
      "https://a/#b",
    ),
  ),
  { maxLength: 3 },
).map((parts) => parts.join("")).filter((text) => !/\$\$*\{(?!APP|NODE|REPLICA|IP)/.test(text));

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);
const envName = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,10}$/);
const path = fc.oneof(
  fc.stringMatching(/^\/?[a-zA-Z0-9_. #"{}'-]{1,15}$/).filter((text) => text.trim() !== ""),
  fc.constantFrom("dist", "/srv/my files/x", "/\u00fc/\u4e16", 'say "x"', "a {", "#x", " x "),
).filter((text) => !text.split("/").includes(".."));
const innerPath = path.filter((text) => !text.startsWith("/"));
const count = fc.integer({ min: 1, max: 100_000 });
const wholeSeconds = fc.integer({ min: 1, max: 3_600 }).map((seconds) => seconds * 1_000);
const command = fc.constantFrom("make", "sh -c 'a # b'", 'sh -c "x \\" y"', "a \\' b", "echo ;{}");
const route = fc.array(fc.stringMatching(/^[a-z0-9_~%-]{1,5}$/), { minLength: 1, maxLength: 3 });

const extra: fc.Arbitrary<readonly Spec.Extra[]> = fc.letrec((tie) => ({
  lines: fc.array(tie("line"), { maxLength: 2 }) as fc.Arbitrary<readonly Spec.Extra[]>,
  line: fc.record({
    key: fc.stringMatching(/^x-[a-z]{1,4}$/),
    value: fc.oneof(awkward, anyCharacter),
    lines: fc.oneof({ depthSize: "small", maxDepth: 2 }, fc.constant([]), tie("lines")),
  }, { requiredKeys: ["key"] }),
})).lines.filter((lines) => lines.length > 0);

const health = record<Spec.HealthSpec>({
  check: fc.oneof(
    fc.record({
      kind: fc.constant("get"),
      path: fc.stringMatching(/^\/[!-~]{0,12}$/),
      status: fc.integer({ min: 200, max: 599 }),
    }),
    fc.constant({ kind: "tcp" }),
    fc.record({ kind: fc.constant("exec"), command }),
  ),
  intervalMs: fc.integer({ min: 100, max: 3_600_000 }),
  timeoutMs: fc.integer({ min: 10, max: 600_000 }),
  retries: fc.integer({ min: 1, max: 100 }),
  startPeriodMs: fc.integer({ min: 0, max: 86_400_000 }),
  extra,
}, ["check", "intervalMs", "timeoutMs", "retries", "startPeriodMs"]);

const scale = record<Spec.ScaleSpec>({
  min: fc.integer({ min: 1, max: 50 }),
  max: fc.integer({ min: 50, max: 100_000 }),
  cpuAbove: fc.integer({ min: 50, max: 100 }),
  cpuBelow: fc.integer({ min: 0, max: 49 }),
  rpsAbove: fc.integer({ min: 1, max: 1_000_000 }).map((value) => value / 1_000),
  cooldownMs: fc.integer({ min: 0, max: 86_400_000 }),
  extra,
}, ["min", "max", "cooldownMs"]);

const rollout = record<Spec.RolloutSpec>({
  order: fc.constantFrom("start-first", "stop-first"),
  batch: count,
  settleMs: fc.integer({ min: 0, max: 3_600_000 }),
  timeoutMs: fc.oneof(fc.constant(120_000), wholeSeconds),
  onFailure: fc.constantFrom("rollback", "pause"),
  canary: fc.record({
    percent: fc.integer({ min: 1, max: 100 }),
    durationMs: fc.integer({ min: 1_000, max: 2_592_000_000 }),
    minRequests: fc.oneof(fc.constant(100), count),
  }),
  extra,
}, ["order", "batch", "settleMs", "timeoutMs", "onFailure"]);

const rate = fc.oneof(
  fc.integer({ min: 1, max: 1_000_000 }),
  fc.integer({ min: 1, max: 1_000 }).map((perMinute) => perMinute / 60),
  fc.integer({ min: 1, max: 1_000 }).map((perHour) => perHour / 3_600),
  fc.double({ min: 0.001, max: 1_000_000, noNaN: true }),
);

const routes: fc.Arbitrary<readonly Spec.RouteSpec[]> = fc.uniqueArray(
  fc.tuple(
    record<Spec.RouteSpec>({
      host: fc.stringMatching(/^[a-z0-9]{1,5}(\.[a-z]{2,4}){0,2}$/),
      rate: fc.record({
        perSecond: rate,
        burst: fc.integer({ min: 1, max: 1_000_000 }),
        per: fc.oneof(
          fc.constant("ip"),
          fc.record({ header: fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,9}$/) }),
        ),
      }),
      sticky: fc.constantFrom("cookie", "none"),
      timeoutMs: fc.integer({ min: 10, max: 86_400_000 }),
      retries: fc.integer({ min: 0, max: 10 }),
      weight: fc.integer({ min: 0, max: 10_000 }),
      tlsRequired: fc.boolean(),
      extra,
    }, ["sticky", "weight", "tlsRequired"]),
    route,
    fc.nat(3),
    fc.boolean(),
  ).map(([spec, segments, stripped, isRoot]) => {
    if (isRoot) return { ...spec, path: "/" };
    const strip = segments.slice(0, stripped).map((segment) => `/${segment}`).join("");
    const whole = { ...spec, path: `/${segments.join("/")}` };
    return strip === "" ? whole : { ...whole, strip };
  }),
  { maxLength: 3, selector: (spec) => `${spec.host ?? ""}${spec.path}` },
);

const label = fc.record({
  key: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,5}$/),
  value: fc.stringMatching(/^[A-Za-z0-9._/:+@-]{1,6}$/),
});
const labels = fc.uniqueArray(label, {
  maxLength: 3,
  selector: ({ key, value }) => `${key}=${value}`,
});
const names = fc.uniqueArray(name, { maxLength: 3 });

const place = record<Spec.PlaceSpec>({
  require: labels,
  prefer: labels,
  spread: fc.oneof(
    fc.constant("node"),
    fc.record({ label: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,5}$/) }),
  ),
  avoid: names,
  near: names,
  extra,
}, ["require", "prefer", "spread", "avoid", "near"]);

const sandbox = record<Spec.SandboxSpec>({
  user: fc.constantFrom("auto", "www-data", "1000"),
  read: fc.uniqueArray(path, { maxLength: 3 }),
  write: fc.uniqueArray(path, { maxLength: 3 }),
  net: fc.uniqueArray(fc.constantFrom("db:5432", "10.0.0.0/8", "[::1]:80", "*"), { maxLength: 3 }),
  optional: fc.boolean(),
  extra,
}, ["read", "write", "net", "optional"]);

const vm = record<Spec.VmSpec>({
  hypervisor: fc.constantFrom("qemu", "firecracker"),
  kernel: path,
  initrd: path,
  rootfs: path,
  vcpus: fc.integer({ min: 1, max: 1_024 }),
  memoryBytes: fc.integer({ min: 1, max: 100_000 }).map((megabytes) => megabytes * 1024 ** 2),
  net: fc.constantFrom("tap0", "user"),
  args: fc.array(freeText, { maxLength: 3 }),
  extra,
}, ["hypervisor", "vcpus", "memoryBytes", "args"]);

const BASE_KEYS = [
  "args",
  "replicas",
  "gpu",
  "restart",
  "drainMs",
  "graceMs",
  "stopSignal",
  "namespace",
  "needs",
  "env",
  "secrets",
  "volumes",
  "rollout",
  "routes",
  "place",
];

const base = record<Omit<Spec.AppSpec, "name" | "type">>({
  args: fc.array(freeText, { maxLength: 4 }),
  replicas: fc.integer({ min: 0, max: 50 }),
  ramBytes: fc.integer({ min: 1_024, max: 2 ** 45 }),
  cpu: fc.integer({ min: 1, max: 4_096_000 }).map((value) => value / 1_000),
  gpu: fc.boolean(),
  restart: fc.constantFrom("always", "on-failure", "never"),
  drainMs: fc.integer({ min: 0, max: 3_600_000 }),
  graceMs: fc.integer({ min: 0, max: 3_600_000 }),
  user: fc.constantFrom("www-data", "1000", "_x"),
  cwd: path,
  stopSignal: fc.constantFrom("SIGTERM", "SIGINT", "SIGKILL"),
  namespace: fc.oneof(fc.constant("default"), name),
  needs: names,
  env: fc.dictionary(envName, freeText, { maxKeys: 4, noNullPrototype: true }),
  secrets: fc.dictionary(
    envName.map((text) => `SECRET_${text}`),
    fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,8}$/),
    { maxKeys: 3, noNullPrototype: true },
  ),
  volumes: fc.uniqueArray(
    record<Spec.VolumeSpec>({ path, shared: fc.boolean(), extra }, ["path", "shared"]),
    { maxLength: 3, selector: (volume) => volume.path },
  ).map((volumes) =>
    volumes.map((volume, index) => index > 0 ? { ...volume, env: `VOLUME_${index}` } : volume)
  ),
  build: record({ run: command, out: path, extra }, ["run"]),
  artifact: record(
    {
      from: path,
      to: innerPath,
      sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
      bytes: fc.nat(),
      form: fc.constantFrom("file" as const, "folder" as const),
      extra,
    },
    ["from"],
  ),
  rollout,
  place,
  sandbox,
  before: record(
    { exec: path, args: fc.array(freeText, { maxLength: 3 }), timeoutMs: wholeSeconds, extra },
    ["exec", "args", "timeoutMs"],
  ),
  routes: fc.constant([]),
  extra,
}, BASE_KEYS);

const port = fc.record({ number: fc.integer({ min: 1, max: 65_535 }), fixed: fc.boolean() });

/** What only apps with a port may have. */
const networked = fc.tuple(
  port,
  record<Pick<Spec.AppSpec, "health" | "scale" | "routes">>({ health, scale, routes }, ["routes"]),
  fc.option(fc.integer({ min: 1_000, max: 2_592_000_000 }), { nil: undefined }),
).map(([port, rest, idleAfterMs]) => {
  const scale = rest.scale && rest.routes.length > 0 && idleAfterMs !== undefined
    ? { ...rest.scale, idleAfterMs }
    : rest.scale;
  return { ...rest, port, ...(scale === undefined ? {} : { scale }) };
});

const program = fc.oneof(
  fc.record({ type: fc.constantFrom("service", "wasm", "system"), exec: path }),
  fc.tuple(
    path,
    record<Spec.ScheduleSpec>({
      cron: fc.constantFrom("0 3 * * *", "*/5 0-6 1,15 jan mon-fri"),
      timezone: fc.constantFrom("Europe/Berlin", "UTC"),
      overlap: fc.constantFrom("allow", "skip", "replace"),
      missed: fc.constantFrom("once", "skip"),
      extra,
    }, ["cron", "overlap", "missed"]),
    fc.boolean(),
    record<Pick<Spec.AppSpec, "retries" | "timeoutMs">>(
      { retries: fc.integer({ min: 0, max: 9 }), timeoutMs: wholeSeconds },
      [],
    ),
  ).map(([exec, schedule, isScheduled, more]) => ({
    type: "job",
    exec,
    ...more,
    ...(isScheduled ? { schedule } : {}),
  })),
  vm.map((vm) => ({ type: "vm", vm })),
  record<Pick<Spec.ServeSpec, "static" | "spa" | "extra">>(
    { static: path, spa: fc.boolean(), extra },
    ["static", "spa"],
  ).map((serve) => ({ type: "service", serve })),
);

/** Any valid specification, such as `parseManifest` could have made. */
export const specs: fc.Arbitrary<Spec.AppSpec> = fc
  .tuple(name, base, program, fc.option(networked, { nil: undefined }), port)
  .map(([name, base, program, networked, port]) => {
    const needed = "serve" in program && networked === undefined ? { port } : {};
    const whole = { ...base, ...program, ...networked, ...needed, name } as Spec.AppSpec;
    const spec = whole.type === "job" ? asJob(whole) : whole;
    const serve = spec.serve && { ...spec.serve, port: spec.port!.number };
    return {
      ...spec,
      needs: spec.needs.filter((other) => other !== name),
      ...(serve === undefined ? {} : { serve }),
    };
  });

/** A job ends: it is not scaled. */
function asJob({ scale: _, ...spec }: Spec.AppSpec): Spec.AppSpec {
  return spec;
}

/** How a canonical text is spoilt without changing its meaning: one number of chance a line. */
export function untidy(text: string, chances: readonly number[]): string {
  let next = 0;
  const chance = (sides: number) => (chances[next++ % chances.length] ?? 0) % sides;
  const out: string[] = [];
  /** Of every open block: whether its braces were left out. */
  const bare: boolean[] = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const content = line.trimStart();
    const indent = line.slice(0, line.length - content.length).replaceAll(
      "  ",
      () => ["  ", "\t"][chance(2)]!,
    );
    if (chance(5) === 0) out.push(["", "   ", '# comment { "', "\t# }"][chance(4)]!);
    if (content === "}") {
      if (!bare.pop()) out.push([`${indent}}`, `${indent}} # "end`, "}"][chance(3)]!);
      continue;
    }
    if (!content.endsWith(" {") || content.includes('"')) {
      if (content.endsWith(" {")) bare.push(false);
      out.push(indent + content + (content === "" ? "" : ["", "  ", " # x", "\t#"][chance(4)]!));
      continue;
    }
    const head = indent + content.slice(0, -2);
    // Without braces an empty block could not be seen.
    const form = lines[index + 1]?.trim() === "}" ? 1 : chance(3);
    bare.push(form === 0);
    if (form === 0) out.push(head);
    else if (form === 1) out.push(`${head} \t{ # open`);
    else out.push(head, `${indent}{`);
  }
  return out.join(["\n", "\r\n"][chance(2)]!);
}
