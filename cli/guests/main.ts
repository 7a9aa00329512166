// `deno task guests`: SovereignMarket on virtual machines that have nothing installed.

import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../../core/errors.ts";
import { type GuestsPlan, showShop } from "./show.ts";

const HELP = `deno task guests: SovereignMarket on virtual machines of its own. Needs root.

  --nodes N      how many nodes, beside the conductor's machine (3)
  --only A,B     these services alone (all nine)
  --replicas N   of each service (as its manifest says)
  --once         end when something has been bought, instead of staying until Ctrl-C
  --dir DIR      where image, keys, consoles and manifests go; emptied first (.skr8tr/guests)
  --help         print this

It needs qemu-system-x86, linux-image-cloud-amd64, busybox-static, iproute2 and curl. The machines are
on a bridge in a network namespace: conductor, tower and ingress at 10.10.0.10, nodes from 10.10.0.11.`;

/** As many as get an address of their own, and more than a machine holds. */
const NODES_MAX = 100;

/** What the command line asks for. @throws {Failure} `usage`. */
export function readGuestsPlan(args: readonly string[], root: string): GuestsPlan {
  const parsed = parseArgs([...args], {
    string: ["nodes", "only", "replicas", "dir"],
    boolean: ["once"],
    unknown: (arg) => {
      throw new Failure("usage", `deno task guests does not know ${arg}; --help lists its flags`);
    },
  });
  const number = (name: "nodes" | "replicas"): number | null => {
    const text = parsed[name];
    if (text === undefined) return null;
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= NODES_MAX) return value;
    throw new Failure(
      "usage",
      `--${name} needs a whole number from 1 to ${NODES_MAX}, not ${text}`,
    );
  };
  const text = (name: "dir" | "only") => parsed[name] ? String(parsed[name]) : null;
  const folder = text("dir") ?? ".skr8tr/guests";
  return {
    root,
    folder: folder.startsWith("/") ? folder : `${root}/${folder}`,
    nodes: number("nodes") ?? 3,
    only: text("only")?.split(",") ?? null,
    replicas: number("replicas"),
    once: parsed.once === true,
  };
}

if (import.meta.main) {
  const root = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
  const began = performance.now();
  const say = (text: string) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
    console.log(`${seconds} s  ${text}`);
  };
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => resolve());
    }
  });
  try {
    if (Deno.args.includes("--help")) console.log(HELP);
    else {
      const plan = readGuestsPlan(Deno.args, root);
      if (Deno.uid() !== 0) {
        throw new Failure(
          "usage",
          "machines on a network of their own need root: run it with sudo",
        );
      }
      await showShop(plan, stopped, say);
    }
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code === "stopped") Deno.exit(130);
    console.error(`error: ${error.message}`);
    Deno.exit(error.code === "usage" ? 2 : 1);
  }
}
