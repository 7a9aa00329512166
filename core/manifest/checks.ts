// Rules that concern several keys of an app at once.

import { type Fault, quoted } from "./errors.ts";
import { defaultBurst } from "./kinds.ts";
import type { Checking } from "./schema.ts";
import type {
  AppSpec,
  RatePer,
  RouteSpec,
  ScaleSpec,
  ScheduleSpec,
  ServeSpec,
  VolumeSpec,
} from "./spec.ts";
import { variablesIn } from "./variables.ts";

/** `scale` as written: `max` may be left to `replicas`. */
export type ScaleRaw = Omit<ScaleSpec, "max"> & { readonly max?: number };
/** `serve` as written: `port` may be left to the app's. */
export type ServeRaw = Omit<ServeSpec, "port"> & { readonly port?: number };

/** An app as written, before the values that depend on others are filled in. */
export type AppRaw = Omit<AppSpec, "restart" | "scale" | "serve"> & {
  readonly restart?: AppSpec["restart"];
  readonly scale?: ScaleRaw;
  readonly serve?: ServeRaw;
  /** `timezone` and `overlap` beside a `schedule` line instead of below it. */
  readonly timezone?: ScheduleSpec["timezone"];
  readonly overlap?: ScheduleSpec["overlap"];
};

type App = Checking<AppRaw>;

const conflict = (message: string): Fault => ({ code: "conflict", message });
const missing = (message: string): Fault => ({ code: "missing-key", message });

/** All rules of an app. */
export function checkApp(app: App): void {
  checkProgram(app);
  checkPort(app);
  checkSchedule(app);
  checkJob(app);
  checkScale(app);
  checkVolumes(app);
  checkEnvironment(app);
  checkRoutes(app);
  const { name } = app.raw;
  if (name !== undefined && app.raw.needs?.includes(name)) {
    app.fault(app.at("needs"), conflict(`${quoted(name)} needs itself`));
  }
}

function checkProgram(app: App): void {
  const type = app.raw.type ?? "service";
  if (app.has("exec") && app.has("serve")) {
    app.fault(app.at("serve"), conflict(`an app has "exec" or "serve", not both`));
  }
  if (type === "vm") {
    if (!app.has("vm")) app.fault(app.at("type"), missing(`"type vm" needs a "vm" block`));
    for (const field of ["exec", "serve"] as const) {
      if (app.has(field)) {
        app.fault(
          app.at(field),
          conflict(`"type vm" starts what its "vm" block says, no "${field}"`),
        );
      }
    }
    return;
  }
  if (app.has("vm")) app.fault(app.at("vm"), conflict(`a "vm" block needs "type vm"`));
  if (!app.has("exec") && !app.has("serve")) {
    app.fault(app.at("exec"), missing(`this app has no "exec": the program to run`));
  }
  if (app.has("serve") && type !== "service" && type !== "system") {
    app.fault(app.at("serve"), conflict(`"serve" works for services, not for "type ${type}"`));
  }
}

function checkPort(app: App): void {
  const served = app.raw.serve?.port;
  const own = app.raw.port?.number;
  if (served !== undefined && own !== undefined && served !== own) {
    app.fault(app.at("serve"), conflict(`"serve" says port ${served}, but the app port ${own}`));
  }
  if (app.has("port") || served !== undefined) return;
  if (app.raw.serve !== undefined) {
    app.fault(app.at("serve"), missing(`"serve" needs a "port"`));
    return;
  }
  if (app.has("serve")) return;
  const check = app.raw.health?.check.kind;
  if (check === "get" || check === "tcp") {
    const shown = check === "get" ? "GET" : "TCP";
    app.fault(app.at("health"), missing(`a ${shown} health check needs a "port" of the app`));
  }
  if (app.has("routes")) {
    app.fault(app.at("routes"), missing(`a "route" needs a "port" of the app to send requests to`));
  }
}

function checkSchedule(app: App): void {
  for (const field of ["schedule", "timezone", "overlap"] as const) {
    if (!app.has(field)) continue;
    if (app.raw.type !== undefined && app.raw.type !== "job") {
      app.fault(app.at(field), conflict(`"${field}" works only for "type job"`));
    } else if (!app.has("schedule")) {
      app.fault(app.at(field), missing(`"${field}" needs a "schedule"`));
    }
  }
  const { schedule, timezone, overlap } = app.raw;
  if (schedule === undefined) return;
  if (timezone !== undefined && schedule.timezone !== undefined) {
    app.fault(app.at("timezone"), conflict(`"timezone" is given twice, here and in "schedule"`));
  }
  if (overlap !== undefined && schedule.overlap !== "skip") {
    app.fault(app.at("overlap"), conflict(`"overlap" is given twice, here and in "schedule"`));
  }
}

/** What only a job, which ends by itself, can have; and what it cannot. */
function checkJob(app: App): void {
  const isJob = app.raw.type === "job";
  for (const [field, key] of [["retries", "retries"], ["timeoutMs", "timeout"]] as const) {
    if (app.has(field) && !isJob) {
      app.fault(app.at(field), conflict(`"${key}" works only for "type job"`));
    }
  }
  if (isJob && app.has("scale")) {
    app.fault(app.at("scale"), conflict(`"scale" is for what goes on, not for "type job"`));
  }
}

function checkScale(app: App): void {
  const { scale } = app.raw;
  if (scale === undefined) return;
  if (scale.idleAfterMs !== undefined && !app.has("routes")) {
    app.fault(
      app.at("scale"),
      conflict(`"idle-after" needs a "route": only the ingress can wake the app again`),
    );
  }
}

/** The bounds of `scale` among themselves. */
export function checkScaleBounds(scale: Checking<ScaleRaw>): void {
  const { min = 1, max, cpuAbove, cpuBelow, idleAfterMs } = scale.raw;
  if (max !== undefined && min > max) {
    const [field, fault] = scale.has("min")
      ? ["min" as const, conflict(`"min" ${min} is more than "max" ${max}`)]
      : ["max" as const, conflict(`"max" ${max} is less than "min" ${min}`)];
    scale.fault(scale.at(field), fault);
  }
  if (cpuAbove !== undefined && cpuBelow !== undefined && cpuBelow >= cpuAbove) {
    scale.fault(
      scale.at("cpuBelow"),
      conflict(`"cpu-below" ${cpuBelow} must be less than "cpu-above" ${cpuAbove}`),
    );
  }
  if (min === 0 && scale.has("min") && !scale.has("idleAfterMs") && idleAfterMs === undefined) {
    scale.fault(
      scale.at("min"),
      conflict(`"min" 0 needs "idle-after": without it nothing would wake the app again`),
    );
  }
}

function checkVolumes(app: App): void {
  const paths = new Set<string>();
  app.raw.volumes?.forEach((volume: VolumeSpec | undefined, index) => {
    if (volume === undefined) return;
    if (paths.has(volume.path)) {
      app.fault(
        app.at("volumes", index),
        conflict(`the volume ${quoted(volume.path)} stands twice`),
      );
    }
    paths.add(volume.path);
  });
}

/** No variable of the environment may come from two places. */
function checkEnvironment(app: App): void {
  const from = new Map<string, string>(Object.keys(app.raw.env ?? {}).map((name) => [name, "env"]));
  const claim = (name: string, source: string, fault: () => ReturnType<App["at"]>) => {
    const other = from.get(name);
    if (other !== undefined) {
      app.fault(fault(), conflict(`${quoted(name)} comes from "${other}" and from "${source}"`));
    } else from.set(name, source);
  };
  for (const name of Object.keys(app.raw.secrets ?? {})) {
    claim(name, "secret", () => app.at("secrets"));
  }
  app.raw.volumes?.forEach((volume: VolumeSpec | undefined, index) => {
    if (volume?.env !== undefined) claim(volume.env, "volume", () => app.at("volumes", index));
  });
  checkVariableSources(app);
}

/** `${PORT}` needs a port, `${ARTIFACT}` an artifact. */
function checkVariableSources(app: App): void {
  const used = {
    exec: [app.raw.exec ?? ""],
    cwd: [app.raw.cwd ?? ""],
    serve: [app.raw.serve?.static ?? ""],
    args: app.raw.args ?? [],
    env: Object.values(app.raw.env ?? {}),
  };
  const hasPort = app.has("port") || app.raw.serve?.port !== undefined;
  for (const [field, texts] of Object.entries(used) as [keyof typeof used, readonly string[]][]) {
    const names = new Set(texts.flatMap((text) => [...variablesIn(text)]));
    if (names.has("PORT") && !hasPort) {
      app.fault(app.at(field), missing('${PORT} is used, but the app has no "port"'));
    }
    if (names.has("ARTIFACT") && !app.has("artifact")) {
      app.fault(app.at(field), missing('${ARTIFACT} is used, but the app has no "artifact"'));
    }
  }
}

function checkRoutes(app: App): void {
  const seen = new Set<string>();
  app.raw.routes?.forEach((route: RouteSpec | undefined, index) => {
    if (route === undefined) return;
    const where = `${route.host ?? ""}${route.path}`;
    if (seen.has(where)) {
      app.fault(app.at("routes", index), conflict(`the route ${quoted(where)} stands twice`));
    }
    seen.add(where);
  });
}

// --- routes -------------------------------------------------------------------------------------

/** `route` as written: its rate in three keys, `strip` perhaps as a flag. */
export type RouteRaw = Omit<RouteSpec, "rate" | "strip"> & {
  readonly rate?: number;
  readonly burst?: number;
  readonly per?: RatePer;
  readonly strip: boolean | string;
};

/** `burst` and `per` belong to a `rate`. */
export function checkRate(route: Checking<RouteRaw>): void {
  if (route.has("rate")) return;
  for (const field of ["burst", "per"] as const) {
    if (route.has(field)) route.fault(route.at(field), missing(`"${field}" needs a "rate"`));
  }
}

/** What is stripped must stand at the front of the path. */
export function checkStrip(route: Checking<RouteRaw>): void {
  const { path, strip } = route.raw;
  if (path === undefined || typeof strip !== "string") return;
  if (path === strip || strip === "/" || path.startsWith(`${strip}/`)) return;
  route.fault(
    route.at("strip"),
    conflict(`${quoted(strip)} is no leading part of the path ${quoted(path)}`),
  );
}

export function finishRoute(raw: RouteRaw): RouteSpec {
  const { rate, burst, per, strip, ...rest } = raw;
  const stripped = strip === true ? raw.path : strip;
  return {
    ...rest,
    ...(stripped === false || stripped === "/" ? {} : { strip: stripped }),
    ...(rate === undefined
      ? {}
      : { rate: { perSecond: rate, burst: burst ?? defaultBurst(rate), per: per ?? "ip" } }),
  };
}

export function unfinishRoute(spec: RouteSpec): RouteRaw {
  const { rate, strip, ...rest } = spec;
  const stripped = strip === spec.path ? true : strip ?? false;
  if (rate === undefined) return { ...rest, strip: stripped };
  return {
    ...rest,
    strip: stripped,
    rate: rate.perSecond,
    ...(rate.burst === defaultBurst(rate.perSecond) ? {} : { burst: rate.burst }),
    ...(rate.per === "ip" ? {} : { per: rate.per }),
  };
}

// --- from what is written to what it means, and back --------------------------------------------

/** Fills in what depends on other keys. */
export function finishApp(raw: AppRaw): AppSpec {
  const { timezone, overlap, schedule, scale, serve, ...rest } = raw;
  const port = raw.port ??
    (serve?.port === undefined ? undefined : { number: serve.port, fixed: false });
  return {
    ...rest,
    ...(port === undefined ? {} : { port }),
    restart: raw.restart ?? defaultRestart(raw.type),
    ...(schedule === undefined ? {} : {
      schedule: {
        ...schedule,
        ...(timezone === undefined ? {} : { timezone }),
        ...(overlap === undefined ? {} : { overlap }),
      },
    }),
    ...(scale === undefined
      ? {}
      : { scale: { ...scale, max: scale.max ?? defaultMax(scale.min, raw.replicas) } }),
    ...(serve === undefined ? {} : { serve: { ...serve, port: port!.number } }),
  };
}

/** The opposite: leaves out what `finishApp` would fill in. */
export function unfinishApp(spec: AppSpec): AppRaw {
  const { restart, scale, serve, ...rest } = spec;
  return {
    ...rest,
    ...(restart === defaultRestart(spec.type) ? {} : { restart }),
    ...(scale === undefined ? {} : {
      scale: scale.max === defaultMax(scale.min, spec.replicas)
        ? { ...scale, max: undefined }
        : scale,
    }),
    ...(serve === undefined ? {} : { serve: { ...serve, port: undefined } }),
  };
}

function defaultRestart(type: AppSpec["type"]): AppSpec["restart"] {
  return type === "job" ? "on-failure" : "always";
}

function defaultMax(min: number, replicas: number): number {
  return Math.max(min, replicas, 1);
}
