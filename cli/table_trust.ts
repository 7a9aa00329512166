// The commands about who may do what, and what was done: a part of the table in table.ts.

import type { Command, Option } from "./command.ts";
import { JSON_OUTPUT } from "./options.ts";

const GRANT_OPTIONS: readonly Option[] = [
  {
    name: "role",
    value: "ROLE",
    help: "admin, deployer, viewer or exec",
    default: "deployer",
  },
  { name: "namespace", value: "NAMES", help: "only in these namespaces (commas between them)" },
  { name: "app", value: "NAMES", help: "only these apps (commas between them)" },
  { name: "until", value: "TIME", help: "how long: 12h, 30d, or a date such as 2030-12-31" },
  { name: "pubkey", value: "FILE", help: "the operator's public key" },
];

export const TRUST_COMMANDS: readonly Command[] = [
  {
    name: "operator",
    usage: "list|add NAME|rotate NAME|revoke NAME",
    summary: "list operators; add one, change a key, or end one's rights",
    details: [
      "list shows every operator with what was granted to them. add needs --pubkey, the public " +
      "key that skr8tr keygen wrote on the operator's machine, and takes the options of grant. " +
      "rotate gives an operator another key (--pubkey); one's own key anybody may rotate. " +
      "revoke ends the key and every grant at once. What runs goes on running. The last admin " +
      "cannot be removed.",
    ],
    examples: [
      "skr8tr operator list",
      "skr8tr operator add ann --pubkey ann.pub --role deployer --namespace shop",
      "skr8tr operator rotate ann --pubkey ann-2.pub",
      "skr8tr operator revoke ann",
    ],
    arguments: [1, 2],
    options: [...GRANT_OPTIONS, JSON_OUTPUT],
    load: () => import("./commands/operator.ts"),
  },
  {
    name: "grant",
    usage: "NAME",
    summary: "let an operator do more, for a while, or less",
    details: [
      "A grant adds to what the operator may already do. With --pubkey the operator is added " +
      "first. --take N takes the grant of that number away (skr8tr operator list shows them).",
    ],
    examples: [
      "skr8tr grant ci --role deployer --app product-svc --until 30d",
      "skr8tr grant ci --take 17",
    ],
    arguments: [1, 1],
    options: [
      ...GRANT_OPTIONS,
      { name: "take", value: "N", help: "take the grant of this number away instead" },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/grant.ts"),
  },
  {
    name: "quota",
    usage: "NAMESPACE",
    summary: "show or bound what the apps of a namespace may take together",
    details: [
      "Without a limit it shows the quota and what is taken of it: all that the namespace's apps " +
      "may ask for by their manifests. Limits replace those that it had: what is not named is not " +
      "bounded any more. --none takes the quota away. skr8tr operator list shows all quotas.",
    ],
    examples: [
      "skr8tr quota shop",
      "skr8tr quota shop --replicas 40 --ram 8gb --cpu 6",
      "skr8tr quota shop --none",
    ],
    arguments: [1, 1],
    options: [
      { name: "replicas", value: "N", help: "most replicas" },
      { name: "ram", value: "SIZE", help: "most memory, by what manifests ask for" },
      { name: "cpu", value: "CORES", help: "most cores, by what manifests ask for" },
      { name: "none", help: "take the quota away" },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/quota.ts"),
  },
  {
    name: "recover",
    usage: "NODE...",
    summary: "rebuild a lost log from what nodes have kept",
    details: [
      "For a cluster whose conductor lost its state folder. Every node keeps a copy of all signed " +
      "commands; the longest that the operators' signatures prove becomes the new log, in which " +
      "every command stands at its old place. Name every node that answers (HOST or HOST:PORT), " +
      "so that what runs there goes on, or the state folder of one that does not (a path). " +
      "--pubkey names the public keys that the conductor was started with. Secrets cannot be " +
      "opened again without the conductor's secret.key.",
      "The new conductor is somebody new, and daemons of a sealed mesh take nobody for the old one " +
      "without an operator's word: a new token each, or --succeed, which signs (--key, an admin's) " +
      "that the conductor of this state folder takes the lost one's place. Those whom the lost one " +
      "let in then come over by themselves. Not where its keys may be in other hands: whoever has " +
      "them could come over, too.",
    ],
    examples: ["skr8tr recover 10.0.0.2 10.0.0.3 --state state/conductor --pubkey skrtrview.pub"],
    arguments: [1, 1_000],
    options: [
      { name: "state", value: "DIR", help: "the conductor's state folder" },
      {
        name: "pubkey",
        value: "FILES",
        help: "the keys that the conductor was started with (commas between them)",
        default: "skrtrview.pub",
      },
      { name: "succeed", help: "let the daemons of the lost conductor come over (needs --key)" },
      { name: "log", value: "NAME", help: "which log, where the copies are of several" },
    ],
    completes: "node",
    load: () => import("./commands/recover.ts"),
  },
  {
    name: "store",
    usage: "copy FROM TO|backup STORE FILE|restore FILE STORE",
    summary: "move, back up and bring back the conductors' log",
    details: [
      "A store is a file (log.db of a conductor's state folder) or nats://HOST,HOST,HOST[/NAME], as " +
      "with the conductor's --store. copy moves a log to another store, which must be empty or hold " +
      "the beginning of it: broken off, it goes on where it was. Stop the conductors before, and " +
      "start them with the new --store after. backup may be taken at any time, and is written whole " +
      "or not at all. Every entry is checked on its way. What else a conductor needs, its " +
      "conductor.identity.json and secret.key, stands beside the log and is kept by you.",
    ],
    examples: [
      "skr8tr store copy state/conductor/log.db nats://10.0.0.1,10.0.0.2,10.0.0.3",
      "skr8tr store backup nats://10.0.0.1 cluster.backup",
    ],
    arguments: [3, 3],
    options: [
      { name: "at-rest-key", value: "FILE", help: "what log and backup are encrypted by" },
      { name: "store-login", value: "FILE", help: "how to enter NATS: .creds, or user:password" },
      { name: "store-ca", value: "FILE", help: "certificates that a tls:// store is checked by" },
    ],
    completes: "file",
    load: () => import("./commands/store.ts"),
  },
  {
    name: "secret",
    usage: "set NAME|list|rm NAME",
    summary: "keep passwords, tokens and keys for apps",
    details: [
      "set reads the value from --file, from standard input, or from the keyboard without showing " +
      "it, and encrypts it here to the cluster's secret key. A manifest names it in its secret " +
      "block; a node gets it only for a replica that runs there. When it changes, the apps that " +
      "use it are restarted one replica after another. Values are never shown again.",
    ],
    examples: [
      "openssl rand -hex 32 | skr8tr secret set service-token",
      "skr8tr secret set tls/key --namespace shop --file shop.key",
    ],
    arguments: [1, 2],
    options: [
      { name: "namespace", value: "NAME", help: "the apps' namespace", default: "default" },
      { name: "file", value: "FILE", help: "where the value is" },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/secret.ts"),
  },
  {
    name: "audit",
    usage: "[verify]",
    summary: "print who did what, or check that nobody has changed it",
    details: [
      "Prints every accepted command, grant, join and exec with its operator, and what was refused " +
      "and exactly why; --json prints a JSON object a line.",
      "audit verify goes through the whole log: each entry's hash, each command's signature and " +
      "whether its operator might give it then (--pubkey: the keys that the conductor was started " +
      "with), and, with --nodes, whether the log still has what nodes keep signed checkpoints of. " +
      "It says which entry was changed, removed or put elsewhere, and ends with 1 if any was.",
    ],
    examples: [
      "skr8tr audit -f --app product-svc",
      "skr8tr audit verify --pubkey skrtrview.pub --nodes 10.0.0.2,10.0.0.3",
    ],
    arguments: [0, 1],
    options: [
      { name: "follow", short: "f", help: "go on until interrupted" },
      {
        name: "lines",
        short: "n",
        value: "N",
        help: "how many lines to begin with",
        default: "100",
      },
      { name: "app", value: "NAME", help: "only what concerns this app" },
      { name: "operator", value: "NAME", help: "only what this operator did (or its key's begin)" },
      { name: "pubkey", value: "FILE", help: "verify: the keys that began the log" },
      { name: "nodes", value: "HOSTS", help: "verify: nodes, or their folders, to compare with" },
      { name: "state", value: "DIR", help: "verify: read this folder, not a conductor" },
      {
        name: "at-rest-key",
        value: "FILE",
        help: "verify: the key that the folder is encrypted by",
      },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/audit.ts"),
  },
];
