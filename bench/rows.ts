// All rows by name. A row's modules are loaded only when it is measured: what one row imports must
// not weigh on another.

import type { Row } from "./row.ts";

/** The rows in the order in which they are measured. */
export const ROWS = [
  { name: "cli", about: "skr8tr version against deno eval 1" },
  { name: "sign", about: "ML-DSA-65 signing, both providers, cold and warm" },
  { name: "verify", about: "ML-DSA-65 verifying, both providers, cold and warm" },
  { name: "front", about: "gzipped size of the shop's front" },
  { name: "deploy", about: "skr8tr up to the first answer through the ingress" },
  { name: "artifact", about: "a 50 MB binary to three nodes, against plain copies" },
  { name: "push", about: "git push to the first request served by the new version" },
  { name: "join", about: "start of a node to its first replica" },
  { name: "crash", about: "SIGKILL of a replica to its replacement" },
  { name: "drain", about: "replicas come and go under 100,000 requests; grace" },
  { name: "rollout", about: "three replicas replaced under 500 requests/s" },
  { name: "node-loss", about: "a node gone at once, to its replicas elsewhere" },
  { name: "takeover", about: "a conductor that leads is ended, to the next one's first command" },
  { name: "market", about: "nine manifests to 18 replicas ready and routed" },
  { name: "shapes", about: "the market as nine services and as five programs, side by side" },
  { name: "memory", about: "RSS and PSS of every daemon, a minute after the market is ready" },
  { name: "ingress", about: "requests/s and latency against nginx and HAProxy" },
  { name: "ingress-cores", about: "requests per CPU-second with 2 workers against 1" },
  { name: "slow-clients", about: "p99 of others while 1,000 clients dribble their heads" },
  { name: "schedule", about: "2,000,000 replicas on 6,100 simulated nodes, 100 of them lost" },
  { name: "fleet", about: "CPU of a conductor with 5,000 nodes beating in sealed datagrams" },
  { name: "flood", about: "an operator's command under 20,000 forged ones a second" },
  { name: "growth", about: "how costs grow from 10 to 10,000 nodes" },
] as const;

/** Loads a row by its name. */
export async function loadRow(name: typeof ROWS[number]["name"]): Promise<Row> {
  switch (name) {
    case "cli":
      return (await import("./rows/cli.ts")).row;
    case "sign":
      return (await import("./rows/sign.ts")).row;
    case "verify":
      return (await import("./rows/verify.ts")).row;
    case "front":
      return (await import("./rows/front.ts")).row;
    case "deploy":
      return (await import("./rows/deploy.ts")).row;
    case "flood":
      return (await import("./rows/flood.ts")).row;
    case "artifact":
      return (await import("./rows/artifact.ts")).row;
    case "push":
      return (await import("./rows/push.ts")).row;
    case "join":
      return (await import("./rows/join.ts")).row;
    case "crash":
      return (await import("./rows/crash.ts")).row;
    case "drain":
      return (await import("./rows/drain.ts")).row;
    case "rollout":
      return (await import("./rows/rollout.ts")).row;
    case "node-loss":
      return (await import("./rows/node_loss.ts")).row;
    case "market":
      return (await import("./rows/market.ts")).row;
    case "shapes":
      return (await import("./rows/shapes.ts")).row;
    case "memory":
      return (await import("./rows/memory.ts")).row;
    case "ingress":
      return (await import("./rows/ingress.ts")).row;
    case "ingress-cores":
      return (await import("./rows/ingress_cores.ts")).row;
    case "slow-clients":
      return (await import("./rows/slow_clients.ts")).row;
    case "schedule":
      return (await import("./rows/schedule.ts")).row;
    case "fleet":
      return (await import("./rows/fleet.ts")).row;
    case "takeover":
      return (await import("./rows/takeover.ts")).row;
    case "growth":
      return (await import("./rows/growth.ts")).row;
    default:
      return name satisfies never;
  }
}
