// The command line, read against the table.

import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../core/errors.ts";
import type { Command, Option } from "./command.ts";
import { COMMANDS, findCommand, GLOBAL_OPTIONS, LISTED_COMMANDS } from "./table.ts";

/** A command's positional arguments and options. */
export interface Arguments {
  readonly positional: readonly string[];
  /** The value of `--name`, if it was given. */
  value(name: string): string | undefined;
  /** Says whether the switch `--name` was given. */
  has(name: string): boolean;
  /** A whole number in [min, max]; `otherwise` where the option was not given. */
  integer(name: string, min: number, max: number, otherwise: number): number;
  /** A duration (`500ms`, `5s`, `2m`; a bare number means seconds) in ms. */
  durationMs(name: string, otherwise: number): number;
}

/** A command line that names a known command. */
export interface Invocation {
  readonly command: Command;
  readonly arguments: Arguments;
}

const OPTIONS: readonly Option[] = [
  ...GLOBAL_OPTIONS,
  ...COMMANDS.flatMap((command) => command.options),
];

/**
 * Reads a command line; global options may stand before the command's name.
 *
 * @throws {Failure} `usage`, with what is near to the mistake.
 */
export async function parseCommandLine(args: readonly string[]): Promise<Invocation> {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    string: ["_", ...OPTIONS.filter((option) => option.value).map((option) => option.name)],
    boolean: OPTIONS.filter((option) => !option.value).map((option) => option.name),
    alias: Object.fromEntries(
      OPTIONS.flatMap((option) => [
        ...(option.short ? [[option.short, option.name]] : []),
        ...(option.alias ? [[option.alias, option.name]] : []),
      ]),
    ),
    unknown: (arg, key) => {
      if (key === undefined) return true;
      unknown.push(arg.replace(/=.*$/s, ""));
      return false;
    },
  });
  const [name, ...positional] = parsed._.map(String);
  if (name === undefined) {
    const implied = parsed.version ? "version" : parsed.help || args.length === 0 ? "help" : null;
    if (implied) return { command: findCommand(implied)!, arguments: view(parsed, []) };
    await refuseUnknown(unknown, OPTIONS);
    throw new Failure("usage", "skr8tr needs a command; skr8tr help lists them");
  }
  const command = findCommand(name) ?? await refuseCommand(name);
  if (parsed.help) return { command: findCommand("help")!, arguments: view(parsed, [name]) };
  await refuseUnknown(
    [...unknown, ...foreign(parsed, command)],
    [...GLOBAL_OPTIONS, ...command.options],
    command,
  );
  const [least, most] = command.arguments;
  if (positional.length < least) throw usage(command, `needs ${command.usage}`);
  if (positional.length > most) {
    throw usage(command, `does not know what to do with ${positional[most]}`);
  }
  return { command, arguments: view(parsed, positional) };
}

/** Options that were given but belong to other commands. */
function foreign(parsed: Record<string, unknown>, command: Command): string[] {
  const own = new Set([...GLOBAL_OPTIONS, ...command.options].map((option) => option.name));
  const given = (name: string) => parsed[name] !== undefined && parsed[name] !== false;
  const names = new Set(OPTIONS.map((option) => option.name));
  return [...names].filter((name) => !own.has(name) && given(name)).map((name) => `--${name}`);
}

async function refuseUnknown(
  unknown: readonly string[],
  options: readonly Option[],
  command?: Command,
): Promise<void> {
  const first = unknown[0];
  if (first === undefined) return;
  const { nearest } = await import("../core/manifest/errors.ts");
  const near = nearest(first.replace(/^-+/, ""), options.map((option) => option.name));
  const hint = near ? `; did you mean --${near}?` : "";
  throw new Failure(
    "usage",
    `${command ? `skr8tr ${command.name}` : "skr8tr"} has no option ${first}${hint} ` +
      `(skr8tr help${command ? ` ${command.name}` : ""} lists them)`,
  );
}

async function refuseCommand(name: string): Promise<never> {
  const { nearest } = await import("../core/manifest/errors.ts");
  const near = nearest(name, LISTED_COMMANDS.map((command) => command.name));
  const hint = near ? `did you mean skr8tr ${near}?` : "skr8tr help lists the commands";
  throw new Failure("usage", `skr8tr has no command ${name}; ${hint}`);
}

function usage(command: Command, what: string): Failure {
  const { name } = command;
  return new Failure("usage", `skr8tr ${name} ${what}; skr8tr help ${name} explains it`);
}

function view(parsed: Record<string, unknown>, positional: readonly string[]): Arguments {
  const value = (name: string) => {
    const given = parsed[name];
    if (given === undefined) return undefined;
    if (given === "") throw new Failure("usage", `--${name} needs a value`);
    return String(given);
  };
  return {
    positional,
    value,
    has: (name) => parsed[name] === true,
    integer(name, min, max, otherwise) {
      const text = value(name);
      if (text === undefined) return otherwise;
      const number = Number(text);
      if (!/^[0-9]+$/.test(text) || number < min || number > max) {
        const range = `a whole number from ${min} to ${max}`;
        throw new Failure("usage", `--${name} needs ${range}, not ${text}`);
      }
      return number;
    },
    durationMs(name, otherwise) {
      const text = value(name);
      if (text === undefined) return otherwise;
      const [, number, unit = "s"] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?$/.exec(text) ?? [];
      if (number === undefined || Number(number) === 0) {
        throw new Failure("usage", `--${name} needs a time like 500ms, 5s or 2m, not ${text}`);
      }
      return Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS];
    },
  };
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
