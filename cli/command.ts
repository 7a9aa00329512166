// What a command of the CLI is: its entry in the table, and what it is run with.

import type { Arguments } from "./arguments.ts";
import type { Output } from "./output.ts";

/** One option of a command, for parsing, help and completion. */
export interface Option {
  readonly name: string;
  /** One letter: `-f`. */
  readonly short?: string;
  /** Another long name. */
  readonly alias?: string;
  /** Placeholder of the value; absent for a switch. */
  readonly value?: string;
  readonly help: string;
  /** What stands for an absent value, for people. */
  readonly default?: string;
}

/**
 * What the arguments of a command name, for completion: `any` is an app, a node or a replica,
 * `replica` an app or a replica, `key` one of the manifest.
 */
export type Completes = "app" | "node" | "replica" | "any" | "file" | "key";

/** One line of the command table. */
export interface Command {
  readonly name: string;
  /** The arguments as help shows them: `FILE...`. */
  readonly usage: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** More for `help COMMAND`, a paragraph each. */
  readonly details?: readonly string[];
  readonly examples?: readonly string[];
  /** Fewest and most positional arguments. */
  readonly arguments: readonly [least: number, most: number];
  readonly options: readonly Option[];
  /** What its arguments name; absent: nothing that could be completed. */
  readonly completes?: Completes;
  /** Called by programs only: not listed for people. */
  readonly hidden?: true;
  /** Imports the command only when it is run: that keeps the cold start short. */
  load(): Promise<{ readonly run: Run }>;
}

/** What a command is run with. */
export interface Context {
  readonly arguments: Arguments;
  readonly output: Output;
}

/**
 * Runs a command and resolves to its exit code.
 *
 * @throws {Failure} see `exitCodeOf` in main.ts for what becomes of it.
 */
export type Run = (context: Context) => Promise<number>;

/** Done as asked. */
export const DONE = 0;
/** Refused or failed: the cluster said no, a deploy failed, a manifest has errors. */
export const FAILED = 1;
/** Nobody answered, or the command line is wrong. */
export const UNREACHABLE = 2;
