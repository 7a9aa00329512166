// Programs of this machine that are run in the guests' network: the CLI of the bundle, and curl.

import { Failure } from "../../core/errors.ts";
import type { GuestNetwork } from "./guests.ts";

export interface Said {
  readonly success: boolean;
  /** What it wrote; of one that failed the errors, too. */
  readonly text: string;
}

/** Where a program runs, and what it is given. */
export interface Place {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

export async function tryRun(
  program: string,
  args: readonly string[],
  { cwd, env = {}, stdin }: Place,
): Promise<Said> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { ...env },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    // One that ends without reading says why by its code.
    await writer.write(new TextEncoder().encode(stdin)).then(() => writer.close()).catch(() => {});
  }
  const { success, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, text: decode(stdout) + (success ? "" : decode(stderr)) };
}

/** The same; one that fails is a failure. @throws {Failure} `guests`. */
export async function run(program: string, args: readonly string[], place: Place): Promise<string> {
  const { success, text } = await tryRun(program, args, place);
  if (!success) throw new Failure("guests", text.trim());
  return text;
}

/** The operator of the guests' cluster, at the bridge. */
export class Operator {
  constructor(
    readonly network: GuestNetwork,
    readonly cli: string,
    readonly place: Place,
  ) {}

  try(words: readonly string[], stdin?: string): Promise<Said> {
    const [program, args] = this.network.inside(this.cli, ...words);
    return tryRun(program, args, stdin === undefined ? this.place : { ...this.place, stdin });
  }

  async tell(words: readonly string[], stdin?: string): Promise<string> {
    const { success, text } = await this.try(words, stdin);
    if (!success) throw new Failure("guests", `skr8tr ${words.join(" ")}: ${text.trim()}`);
    return text;
  }
}
