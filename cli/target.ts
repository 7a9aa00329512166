// Whom the CLI talks to: flags first, then the environment, then this machine.

import {
  type Address,
  CONDUCTOR_PORT,
  readAddress,
  readAddresses,
  showAddress,
  TOWER_PORT,
} from "../core/address.ts";
import { Failure } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";
import { contextNamed, type Pinned, readContexts } from "./context.ts";
import { keyPathOf } from "./key_path.ts";

/** How a conductor is known, and who asks it. */
export interface Sealing {
  /** The context that it was found by. */
  readonly context?: string;
  readonly pinned?: Pinned;
  /** What its identity must be. */
  readonly fingerprint?: string;
  /** The operator's signing key. */
  readonly keyPath?: string;
}

/** A conductor's address; with `seal` it is talked to in a sealed session. */
export interface ConductorAddress extends Address {
  readonly seal?: Sealing;
  /** Further conductors of the cluster: whichever leads is asked. */
  readonly others?: readonly Address[];
}

/** Where conductor and tower are, and how long they may take to answer. */
export interface Target {
  readonly conductor: ConductorAddress;
  readonly tower: Address;
  readonly timeoutMs: number;
}

const TIMEOUT_MS = 5_000;

/**
 * Reads `--conductor`, `--tower`, `--port`, `--timeout` and their environment variables. Without
 * an address of its own the tower is looked for where the conductor is.
 *
 * @throws {Failure} `usage` for an address that is none.
 */
export function targetOf(args: Arguments): Target {
  const port = args.integer("port", 1, 65_535, CONDUCTOR_PORT);
  const given = named(args, "conductor");
  const contexts = readContexts();
  // Whoever names a conductor means that one; --context goes before all.
  const name = args.value("context") ?? (given === undefined ? contexts.current : undefined);
  const context = name === undefined ? undefined : contextNamed(contexts, name);
  const conductor = (args.value("context") === undefined ? given : undefined) ??
    context?.conductor ?? given ?? "127.0.0.1";
  const tower = named(args, "tower") ?? context?.tower;
  const [conductorAddress, ...others] = readAddresses(conductor, "conductor", port) as [
    Address,
    ...Address[],
  ];
  const keyPath = knownKeyPath(args);
  const seal: Sealing = {
    ...(name === undefined ? {} : { context: name }),
    ...(context?.pinned === undefined ? {} : { pinned: context.pinned }),
    ...(context?.fingerprint === undefined ? {} : { fingerprint: context.fingerprint }),
    ...(keyPath === undefined ? {} : { keyPath }),
  };
  return {
    conductor: { ...conductorAddress, seal, ...(others.length === 0 ? {} : { others }) },
    tower: tower === undefined
      ? { hostname: conductorAddress.hostname, port: TOWER_PORT }
      : readAddress(tower, "tower", TOWER_PORT),
    timeoutMs: args.durationMs("timeout", TIMEOUT_MS),
  };
}

/**
 * Says whether a conductor may be asked plainly where no sealed session is to be had: not one whose
 * key is known, since whoever keeps us from it could answer in its place.
 */
export function mayBePlain(conductor: ConductorAddress): boolean {
  const { seal } = conductor;
  if (!seal) return true;
  return seal.context === undefined && readContexts().known[showAddress(conductor)] === undefined;
}

/** The signing key's file, if one could be named. */
function knownKeyPath(args: Arguments): string | undefined {
  try {
    return keyPathOf(args);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

function named(args: Arguments, name: string): string | undefined {
  return args.value(name) ?? (Deno.env.get(`SKR8TR_${name.toUpperCase()}`) || undefined);
}
