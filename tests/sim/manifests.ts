// The apps of the virtual world: what their manifests say.

import { type Cargo, cargoOf } from "./cargo.ts";
import type { Behaviour } from "./process.ts";

/** Between which numbers an app scales, and the least time between two of its steps. */
export interface Scales {
  readonly min: number;
  readonly max: number;
  readonly cooldownMs: number;
}
/** By its requests, and asleep without any. */
const NAP: Scales = { min: 0, max: 3, cooldownMs: 2_000 };
/** By its CPU: more above this share of a core, less below half of it, in percent. */
const BUSY: Scales = { min: 1, max: 4, cooldownMs: 2_000 };
export const BUSY_ABOVE = 60;

/** How it scales by itself, if it does. */
export function scalesOf(app: string): Scales | undefined {
  return app === "nap" ? NAP : app === "busy" ? BUSY : undefined;
}

/** The share of requests that a canary of `shy` gets. */
export const SHY_PERCENT = 30;

const TIMEOUT = "timeout 8s";

/** What apps of these names have besides what all have. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  nap: [
    `  scale { min 0; max ${NAP.max}; rps-above 10; idle-after 3s; cooldown ${NAP.cooldownMs}ms }`,
  ],
  busy: [
    `  scale { min ${BUSY.min}; max ${BUSY.max}; cpu-above ${BUSY_ABOVE}%; ` +
    `cooldown ${BUSY.cooldownMs}ms }`,
  ],
};

/** Says whether a new generation of it is tried on a share of the requests first. */
export function hasCanary(app: string): boolean {
  return app === "shy";
}

/** Says whether it is a job: `tick` is due every minute, `once` runs when it is applied or told to. */
export function isJob(app: string): boolean {
  return app === "tick" || app === "once";
}

/**
 * What an app brings along from where to where: `crate` is started first, `barge` only when an old one
 * has gone.
 */
const BROUGHT: Readonly<Record<string, { readonly artifact: string; readonly exec: string }>> = {
  crate: { artifact: "from program", exec: "program" },
  barge: { artifact: "from dist/program; to bin/barge", exec: "bin/barge" },
};

export function bringsCargo(app: string): boolean {
  return BROUGHT[app] !== undefined;
}

/** Says whether the app goes to sleep while nobody asks for it. */
export function isSleeper(app: string): boolean {
  return app === "nap";
}

export interface ManifestOptions {
  readonly app: string;
  readonly volume: boolean;
  readonly replicas: number;
  readonly generation: number;
  readonly behaviour: Behaviour;
  /** Which content it brings along, if it brings one. */
  readonly cargo?: number;
}

export function manifestOf(options: ManifestOptions): string {
  if (isJob(options.app)) return jobOf(options);
  const { app, volume, replicas, generation, behaviour } = options;
  const brought = BROUGHT[app];
  const order = app === "barge" ? "; order stop-first" : "";
  return [
    `app ${app}`,
    brought ? `  exec \${ARTIFACT}/${brought.exec}` : "  exec /bin/program",
    ...(brought ? [artifactLine(brought.artifact, cargoOf(options.cargo ?? 1))] : []),
    "  port 8001",
    `  replicas ${replicas}`,
    `  env { VERSION ${generation}; BEHAVIOUR ${behaviour} }`,
    "  drain 2s",
    "  grace 1s",
    `  rollout { ${TIMEOUT}${order}${
      hasCanary(app) ? `; canary ${SHY_PERCENT}% 2s min-requests 5` : ""
    } }`,
    ...(volume ? ["  volume { path data; env DATA }"] : []),
    ...(MORE[app] ?? []),
    "  health { check GET /health 200; interval 1s; timeout 500ms; retries 3 }",
    `  route { path /${app} }`,
    "",
  ].join("\n");
}

function artifactLine(place: string, { sha256, bytes }: Cargo): string {
  return `  artifact { ${place}; sha256 ${sha256}; bytes ${bytes}; form file }`;
}

function jobOf({ app, replicas, generation, behaviour }: ManifestOptions): string {
  return [
    `app ${app}`,
    "  type job",
    "  exec /bin/program",
    `  replicas ${replicas}`,
    "  retries 2",
    ...(app === "tick" ? ["  schedule * * * * *"] : []),
    `  env { VERSION ${generation}; BEHAVIOUR ${behaviour}; WORK yes }`,
    "  grace 1s",
    "",
  ].join("\n");
}
