// The commands about who belongs to the cluster: a part of the table in table.ts.

import type { Command } from "./command.ts";
import { JSON_OUTPUT } from "./options.ts";

export const SEAL_COMMANDS: readonly Command[] = [
  {
    name: "context",
    usage: "list|add NAME|use NAME|rm NAME",
    summary: "name clusters, and choose which one to talk to",
    details: [
      "A context is a conductor's address (--conductor), the key that it is known by, and the " +
      "signing key (--key) that is used there. add asks the conductor for its key, or checks it " +
      "against --fingerprint; from then on nobody else can answer in its place. Without a context " +
      "a conductor beyond this machine is known by the key that it had when it was first reached; " +
      "rm HOST:PORT forgets that. They are kept in ~/.skr8tr/contexts.json.",
    ],
    examples: [
      "skr8tr context add home --conductor 10.0.0.1 --key ~/.skr8tr/home.sec",
      "skr8tr context use home",
      "skr8tr --context home status",
    ],
    arguments: [1, 2],
    options: [
      {
        name: "fingerprint",
        value: "HEX",
        help: "the conductor's identity, as its owner told you",
      },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/context.ts"),
  },
  {
    name: "token",
    usage: "create",
    summary: "make a token with which a daemon joins the cluster",
    details: [
      "Prints a token that is signed with your key: give it to the daemon by --join, as it is or " +
      "as the name of a file that holds it. It lets one daemon of that role in, once, before it " +
      "expires. It names the conductor's key, your own, and where the log ends now, so that the " +
      "daemon knows whom to believe. It is no secret after it was used.",
    ],
    examples: ["skr8tr token create --role node --ttl 1h > den.token"],
    arguments: [1, 1],
    options: [
      { name: "role", value: "ROLE", help: "node, tower or ingress", default: "node" },
      { name: "ttl", value: "TIME", help: "how long it may be used", default: "1h" },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/token.ts"),
  },
];
