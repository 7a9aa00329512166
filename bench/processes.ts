// Processes as /proc shows them.

/** Sends a signal to a process that may be gone. */
export function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && isAlive(pid)) throw error;
  }
}

/** Says whether a process lives; a zombie does not. */
export function isAlive(pid: number): boolean {
  const stat = readProc(pid, "stat");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

/** A file of `/proc/<pid>`; empty for a process that is gone or none of ours. */
export function readProc(pid: number, file: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch (error) {
    // ESRCH has no class of its own: a process may end between looking and reading.
    if (error instanceof Deno.errors.NotFound || String(error).includes("os error 3")) return "";
    if (error instanceof Deno.errors.PermissionDenied) return "";
    throw error;
  }
}

/**
 * Everything of one node: its daemon with all descendants, and whatever belongs to its state folder
 * (launchers and programs, which are in sessions of their own).
 */
export async function groupMembers(state: string, daemon: number): Promise<number[]> {
  const parents = new Map<number, number>();
  const named: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const pid = Number(name);
    const stat = readProc(pid, "stat");
    if (stat === "" || pid === Deno.pid) continue;
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    const words = `${readProc(pid, "cmdline")}\0${readProc(pid, "environ")}`;
    if (words.includes(`${state}/replicas/`)) named.push(pid);
  }
  const roots = new Set([daemon, ...named]);
  const belongs = (pid: number): boolean =>
    roots.has(pid) || (parents.has(pid) && belongs(parents.get(pid)!));
  return [...parents.keys()].filter(belongs);
}

/** Resident and proportional set size of a process, in bytes. */
export function memoryOf(pid: number): {
  readonly rssBytes: number;
  readonly pssBytes: number;
  /** The part of RSS that is this process's own: not pages of files, which processes share. */
  readonly ownBytes: number;
} {
  const text = readProc(pid, "smaps_rollup");
  const bytes = (key: string) =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text)?.[1]) * 1024;
  return { rssBytes: bytes("Rss"), pssBytes: bytes("Pss"), ownBytes: bytes("Anonymous") };
}

/** Pids of the processes that this one started and that still run. */
export async function childrenOf(parent: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const stat = readProc(Number(name), "stat");
    if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent) {
      found.push(Number(name));
    }
  }
  return found;
}
