/** Options that many commands take. */

import type { Option } from "./command.ts";

export const JSON_OUTPUT: Option = { name: "json", help: "print JSON, for programs" };

export const FOLLOW: Option = { name: "follow", short: "f", help: "go on until interrupted" };

export const WATCH: readonly Option[] = [
  { name: "watch", help: "show it again and again, until interrupted" },
  { name: "every", value: "TIME", help: "how often, with --watch", default: "2s" },
];
