// The commands about who may do what, and what was done: a part of the table in table.ts.

import type { Command, Option } from "./command.ts";

const JSON_OUTPUT: Option = { name: "json", help: "print JSON, for programs" };

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
    ],
    load: () => import("./commands/grant.ts"),
  },
  {
    name: "quota",
    usage: "NAMESPACE",
    summary: "bound what the apps of a namespace may take together",
    details: ["Without any limit the quota is taken away. skr8tr operator list shows quotas, too."],
    examples: ["skr8tr quota shop --replicas 40 --ram 8gb --cpu 6", "skr8tr quota shop"],
    arguments: [1, 1],
    options: [
      { name: "replicas", value: "N", help: "most replicas" },
      { name: "ram", value: "SIZE", help: "most memory, by what manifests ask for" },
      { name: "cpu", value: "CORES", help: "most cores, by what manifests ask for" },
    ],
    load: () => import("./commands/quota.ts"),
  },
];
