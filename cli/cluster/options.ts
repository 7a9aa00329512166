// The flags of `deno task cluster`.

import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../../core/errors.ts";
import { rows } from "../help.ts";
import { NODE_ADDRESSES, portsFrom, STANDARD_PORTS, type WantedPorts } from "./layout.ts";

export interface ClusterOptions {
  /** Absolute. */
  readonly state: string;
  readonly ports: WantedPorts;
  /** In which shape the market is deployed. */
  readonly shape: Shape;
  /** Names of manifests of that shape. */
  readonly apps: readonly string[] | "all";
  /** Addresses of the nodes. */
  readonly addresses: readonly string[];
  readonly json: boolean;
  /** Goes on when whoever started it ends. */
  readonly stay: boolean;
  readonly noColor: boolean;
}

/** The market as nine services, or as five programs: the four here and the ingress. */
export const SHAPES = ["nine", "five"] as const;
export type Shape = typeof SHAPES[number];

/** What is deployed without `--only`. */
export const DEFAULT_APPS = "all";

const FLAGS: readonly (readonly [string, string])[] = [
  ["--state DIR", "folder for keys, logs and what must survive (.skr8tr)"],
  ["--shape nine|five", "the market as nine services or as five programs (nine)"],
  ["--only APP,APP", `which of its manifests to deploy (${DEFAULT_APPS})`],
  ["--http PORT", "the ingress's port (8080)"],
  ["--port-base PORT", "put every port from here on, to run beside another cluster"],
  ["--one-address", "put all nodes at 127.0.0.1, as is done where 127.0.0.11 does not exist"],
  ["--json", "print one line of JSON on stdout when all is ready; everything else on stderr"],
  ["--stay", "go on when the program that started this one ends"],
  ["--no-color", "plain text even on a terminal; also NO_COLOR"],
  ["--help", "print this"],
];

/** The text of `--help`. */
export function clusterHelp(): string {
  return [
    "deno task cluster: a whole cluster on this machine, until Ctrl-C",
    "",
    ...rows(FLAGS, 100),
    "",
    "Exit codes: 0 stopped as told, 1 failed, 2 wrong usage",
  ].join("\n");
}

/**
 * Reads the flags; `null` for `--help`.
 *
 * @throws {Failure} `usage`.
 */
export function readOptions(args: readonly string[], root: string): ClusterOptions | null {
  const parsed = parseArgs(args, {
    string: ["state", "shape", "only", "http", "port-base", "_"],
    boolean: ["one-address", "json", "stay", "no-color", "help"],
    unknown: (arg) => {
      throw new Failure("usage", `deno task cluster does not know ${arg}; --help lists its flags`);
    },
  });
  if (parsed.help) return null;
  const text = (name: string, otherwise: string) => {
    const value = parsed[name] ?? otherwise;
    if (value === "") throw new Failure("usage", `--${name} needs a value`);
    return String(value);
  };
  const port = (name: string, most: number) => {
    const value = Number(text(name, "0"));
    if (parsed[name] !== undefined && !(Number.isInteger(value) && value >= 1 && value <= most)) {
      throw new Failure("usage", `--${name} needs a port from 1 to ${most}, not ${parsed[name]}`);
    }
    return value;
  };
  const base = port("port-base", 65_000);
  const http = port("http", 65_535);
  const ports = base === 0 ? STANDARD_PORTS : portsFrom(base);
  const only = text("only", DEFAULT_APPS);
  const shape = SHAPES.find((each) => each === text("shape", "nine"));
  if (!shape) {
    throw new Failure("usage", `--shape is ${SHAPES.join(" or ")}, not ${parsed.shape}`);
  }
  const state = text("state", ".skr8tr").replace(/\/+$/, "");
  return {
    state: state.startsWith("/") ? state : `${root}/${state.replace(/^\.\//, "")}`,
    ports: http === 0 ? ports : { ...ports, ingress: http },
    shape,
    apps: only === "all" ? only : only.split(",").filter((app) => app !== ""),
    addresses: parsed["one-address"] === true
      ? NODE_ADDRESSES.map(() => "127.0.0.1")
      : NODE_ADDRESSES,
    json: parsed.json === true,
    stay: parsed.stay === true,
    noColor: parsed["no-color"] === true,
  };
}
