// What a node daemon is told, and what of it its machine must know.

import type { Address } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { randomHex } from "../../core/live/clock.ts";
import type { Udp } from "../../core/live/udp.ts";
import { fingerprint, PUBLIC_KEY_BYTES } from "../../core/signed.ts";
import type { NodeOptions } from "../machine.ts";
import type { FenceTools } from "../sandbox.ts";
import type { Runners } from "../workload.ts";

/** Everything a node daemon is told. */
export interface StartOptions {
  readonly bind: string;
  readonly host: string;
  readonly port: number;
  /** Default: the machine's name. */
  readonly name?: string;
  /** Absolute. */
  readonly state: string;
  readonly conductor: Address | null;
  /** Where its log is followed. */
  readonly follow: Address | null;
  /** Further conductors, and in the same order where their logs are followed. */
  readonly moreConductors?: readonly Address[];
  readonly moreFollow?: readonly Address[];
  readonly tower: Address | null;
  /** Further towers: each is told everything. */
  readonly moreTowers?: readonly Address[];
  /** Raw public keys of the operators; none: nothing is verified. */
  readonly keys: readonly Uint8Array[];
  /** With it the mesh is sealed; the token's operator is trusted, too, unless nothing is verified. */
  readonly seal?: {
    /** A token, or a file that holds one. */
    readonly join?: string;
    readonly trustOperator: boolean;
  };
  readonly path: string;
  readonly workdir: string;
  readonly denoDir?: string;
  readonly runners?: Runners;
  /** By what programs are held to their sandbox, in place of what is found on this machine. */
  readonly fence?: FenceTools;
  /** Bound of the cache of artifacts, in bytes. */
  readonly artifactBytes?: number;
  readonly ports: { readonly first: number; readonly last: number };
  readonly cores?: number;
  readonly ramTotalBytes?: number;
  readonly gpu: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Networks whose plain v1 reads are answered, beside loopback. */
  readonly plain: readonly string[];
  /** Plain v1 commands that act are taken. */
  readonly open: boolean;
  /** Run manifests of which an operator signed only the path (v1 SUBMIT). */
  readonly trustPaths: boolean;
  /** Give up the copy of the log, and follow whichever the conductor shows. */
  readonly newLog?: boolean;
  readonly stopReplicas: boolean;
  /** Where Prometheus scrapes; `null`: nowhere but on the node's own port. */
  readonly metricsPort: number | null;
  /** For tests: where a cgroup v2 tree is, in place of the machine's. */
  readonly cgroupTree?: string;
  /** For tests: another program in place of the health worker's. */
  readonly healthWorkerUrl?: URL;
  readonly autoscaleWorkerUrl?: URL;
}

/** What the machine is told. */
export function machineOptions(
  options: StartOptions,
  node: string,
  hostName: string,
  udp: Udp,
  bootWallMs: number,
): NodeOptions {
  const { denoDir, runners, fence, tower, ramTotalBytes } = options;
  return {
    node,
    boot: randomHex(16),
    bootWallMs,
    trustPaths: options.trustPaths,
    name: meshName(hostName),
    host: options.host,
    port: udp.address.port,
    path: options.path,
    workdir: options.workdir,
    ...(denoDir === undefined ? {} : { denoDir }),
    state: options.state,
    ...(fence === undefined ? {} : { fence }),
    artifacts: `${options.state}/artifacts`,
    ...(runners === undefined ? {} : { runners }),
    ...(tower === null
      ? {}
      : { towerUrl: [tower, ...options.moreTowers ?? []].map(urlOf).join(",") }),
    conductor: options.conductor,
    moreConductors: options.moreConductors ?? [],
    moreTowers: options.moreTowers ?? [],
    roots: options.keys.map((publicKey) => ({ key: fingerprint(publicKey), publicKey })),
    tower,
    cores: options.cores ?? navigator.hardwareConcurrency,
    ...(ramTotalBytes === undefined ? {} : { ramTotalBytes }),
    gpu: options.gpu,
    labels: options.labels,
    ports: options.ports,
  };
}

/** Reads an operator's public key. @throws {Failure} `bad-key` where the file holds none. */
export function readKey(path: string): Uint8Array {
  let key: Uint8Array;
  try {
    key = Deno.readFileSync(path);
  } catch (error) {
    throw new Failure("bad-key", `cannot read the public key ${path}: ${(error as Error).message}`);
  }
  if (key.length === PUBLIC_KEY_BYTES) return key;
  throw new Failure(
    "bad-key",
    `${path} holds ${key.length} bytes, not the ${PUBLIC_KEY_BYTES} of an ML-DSA-65 public key`,
  );
}

/** A machine's name as the mesh allows it. */
export function meshName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 63);
  return plain === "" ? "node" : plain;
}

function urlOf({ hostname, port }: Address): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
