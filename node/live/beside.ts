// Programs that an operator runs beside a replica: in its folder, with its environment and its
// account, in its sandbox, and within its memory and CPU.

import { shellWord } from "../../core/shell.ts";
import type { Size } from "../../core/stream/frames.ts";
import type { LaunchPlan } from "../plan.ts";
import type { Processes } from "./process.ts";

/**
 * Goes into the replica's cgroup ($1, empty: none) and becomes the command. The shell stands before
 * whatever drops the account, since only the node's own may write there. It sets no variable, so that
 * the replica's own come through.
 */
const ENTER = `[ "$1" ] && { echo 0 >"$1/cgroup.procs" || exit 125; }
shift
exec "$@"`;

/** The same on a pseudo-terminal of the type $2: script(1) makes it and runs the line $3 on it. */
const ENTER_TERMINAL = `[ "$1" ] && { echo 0 >"$1/cgroup.procs" || exit 125; }
[ "$2" ] && export TERM="$2"
exec 3>&2
SHELL=/bin/sh exec script -qfec "$3" /dev/null`;

/** Sets the terminal's size, tells who leads its session and which it is, becomes the command. */
function terminalLine({ rows, columns }: Size, command: readonly string[]): string {
  return `stty rows ${rows} cols ${columns}; echo "$$ $(tty)" >&3; exec 3>&-; ` +
    `exec ${command.map(shellWord).join(" ")}`;
}

/** By what the shells between are known. */
const NAME = "skr8tr-beside";

/** A program to run beside a replica. */
export interface Beside {
  readonly words: readonly string[];
  readonly stdin: "null" | "piped";
  /** On a terminal the first line of standard error is `<leader's pid> <its path>`. */
  readonly tty?: Size & { readonly term: string };
}

/**
 * Starts it, as the leader of a session and process group of its own.
 *
 * @throws {Error} where the node cannot start it as it starts the replica, and says why.
 */
export async function spawnBeside(
  processes: Processes,
  replica: string,
  plan: LaunchPlan,
  { words: wanted, stdin, tty }: Beside,
): Promise<Deno.ChildProcess> {
  const [program = "", ...args] = wanted;
  const entered = await processes.asReplica(replica, plan, program);
  if ("reason" in entered) throw new Error(entered.reason);
  const cgroup = processes.groupOf(replica)?.cgroup ?? "";
  const command = [...entered.command, ...args];
  const words = tty
    ? [ENTER_TERMINAL, NAME, cgroup, tty.term, terminalLine(tty, command)]
    : [ENTER, NAME, cgroup, ...command];
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", ...words],
    cwd: plan.cwd,
    env: processes.environmentOf(replica, plan),
    clearEnv: true,
    detached: true,
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  processes.beside.note(replica, child);
  return child;
}

/** Signals a process group that may be gone. */
export function endGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}
