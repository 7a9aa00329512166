// What every daemon's main.ts has in common: its flags, its log, the ways it is told to stop.

import { parseArgs } from "@std/cli/parse-args";
import type { LogLevel } from "@logtape/logtape";
import { Failure } from "../errors.ts";
import { logger, startLog } from "./log.ts";

/** One flag of a daemon, for parsing and for `--help`. */
export interface Flag {
  readonly name: string;
  readonly help: string;
  /** Placeholder of the value; absent for a switch. */
  readonly value?: string;
  readonly default?: string;
  readonly repeat?: boolean;
}

/** Flags that every daemon has. */
export const COMMON_FLAGS: readonly Flag[] = [
  { name: "bind", value: "IP", default: "127.0.0.1", help: "address to listen on" },
  { name: "state", value: "DIR", default: ".skr8tr", help: "folder for what must survive" },
  { name: "mesh", value: "open", help: "let daemons talk unsealed, as the original's do" },
  { name: "log", value: "text|json", default: "text", help: "form of the log on stderr" },
  { name: "log-level", value: "LEVEL", default: "info", help: "debug, info, warning or error" },
  { name: "stop-with-stdin", help: "stop when standard input ends (the parent has died)" },
  { name: "help", help: "print this" },
];

/** Flags of the daemons that join a conductor's cluster. */
export const JOIN_FLAGS: readonly Flag[] = [
  {
    name: "join",
    value: "TOKEN|FILE",
    help: "come into the cluster with this token (skr8tr token create); needed once",
  },
];

/** The flags' values, read by name. */
export interface FlagValues {
  text(name: string): string;
  optional(name: string): string | undefined;
  all(name: string): readonly string[];
  /** A whole number in [min, max]. */
  integer(name: string, min: number, max: number): number;
  has(name: string): boolean;
}

/**
 * Reads a daemon's command line.
 *
 * @throws {Failure} `usage` for an unknown flag, a missing or a malformed value.
 */
export function parseFlags(args: readonly string[], flags: readonly Flag[]): FlagValues {
  const parsed = parseArgs(args, {
    string: flags.filter((flag) => flag.value !== undefined).map((flag) => flag.name),
    boolean: flags.filter((flag) => flag.value === undefined).map((flag) => flag.name),
    collect: flags.filter((flag) => flag.repeat).map((flag) => flag.name),
    default: Object.fromEntries(
      flags.filter((flag) => flag.default !== undefined).map((flag) => [flag.name, flag.default]),
    ),
    unknown: (arg) => {
      throw new Failure("usage", `unknown argument ${arg}; --help lists the flags`);
    },
  });
  const all = (name: string) => [parsed[name] ?? []].flat().map(String);
  const optional = (name: string) => all(name).at(-1);
  const text = (name: string) => {
    const value = optional(name);
    if (value === undefined || value === "") throw new Failure("usage", `--${name} needs a value`);
    return value;
  };
  return {
    all,
    optional,
    text,
    has: (name) => parsed[name] === true,
    integer(name, min, max) {
      const value = Number(text(name));
      if (!Number.isInteger(value) || value < min || value > max) {
        throw new Failure(
          "usage",
          `--${name} needs a whole number from ${min} to ${max}, not ${text(name)}`,
        );
      }
      return value;
    },
  };
}

/** The text of `--help`. */
export function describeFlags(daemon: string, purpose: string, flags: readonly Flag[]): string {
  const rows = flags.map((flag) => {
    const left = `  --${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
    const standard = flag.default === undefined ? "" : ` (${flag.default})`;
    return `${left.padEnd(28)}${flag.help}${standard}`;
  });
  return `${daemon}: ${purpose}\n\n${rows.join("\n")}\n`;
}

/**
 * The mesh is sealed unless the daemon is told otherwise: then it says so, at once and every hour.
 *
 * @throws {Failure} `usage`.
 */
export function checkMesh(bind: string, mesh: string | undefined): void {
  if (mesh !== undefined && mesh !== "open") {
    throw new Failure("usage", `--mesh knows only "open", not ${mesh}`);
  }
  if (mesh === "open") {
    const warn = () =>
      logger("mesh").warn(
        "--mesh open: whoever reaches {bind} can read and forge what the daemons say to each other",
        { bind },
      );
    warn();
    Deno.unrefTimer(setInterval(warn, 3_600_000));
  }
}

/** A daemon that runs: how to end it, and what it says when it has ended by itself. */
export interface Running {
  /** Ends gracefully; resolves when all is closed. */
  stop(reason: string): Promise<void>;
  /** Resolves if the daemon ends by itself, with the exit code it wants. */
  readonly ended?: Promise<number>;
}

/**
 * The whole of a daemon's `main.ts`: parses flags, starts, waits for SIGTERM, SIGINT or (with
 * `--stop-with-stdin`) the end of standard input, stops, exits.
 *
 * Exit codes: 0 stopped as told, 1 failed, 2 wrong usage or a port or file that cannot be had.
 */
export async function runDaemon(options: {
  readonly name: string;
  readonly purpose: string;
  readonly flags: readonly Flag[];
  start(flags: FlagValues): Promise<Running>;
}): Promise<never> {
  const flags = [...options.flags, ...COMMON_FLAGS];
  if (Deno.args.includes("--help")) {
    console.log(describeFlags(options.name, options.purpose, flags));
    Deno.exit(0);
  }
  // Listened for from the start: whoever hears of us may tell us to stop at once.
  const signal = signalled();
  const stdin = Deno.args.includes("--stop-with-stdin") ? stdinEnds() : signal;
  let running: Running;
  let values: FlagValues;
  try {
    values = parseFlags(Deno.args, flags);
    const format = values.text("log");
    if (format !== "text" && format !== "json") {
      throw new Failure("usage", `--log knows text and json, not ${format}`);
    }
    startLog(options.name, format, values.text("log-level") as LogLevel);
    checkMesh(values.text("bind"), values.optional("mesh"));
    const started = options.start(values);
    // A daemon that waits for its conductor is not ready yet, and may still be told to stop.
    const first = await Promise.race([
      started,
      signal,
      ...(values.has("stop-with-stdin") ? [stdin] : []),
    ]);
    if (typeof first === "string") Deno.exit(0);
    running = first;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`${options.name}: ${error.message}`);
    Deno.exit(2);
  }
  const reason = await Promise.race([
    signal,
    ...(values.has("stop-with-stdin") ? [stdin] : []),
    ...(running.ended ? [running.ended] : []),
  ]);
  if (typeof reason === "number") Deno.exit(reason);
  logger().info("stopping: {reason}", { reason });
  await running.stop(reason);
  Deno.exit(0);
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}

async function stdinEnds(): Promise<string> {
  try {
    const buffer = new Uint8Array(64);
    while (await Deno.stdin.read(buffer) !== null);
  } catch {
    // A closed standard input has ended, too.
  }
  return "standard input ended";
}
