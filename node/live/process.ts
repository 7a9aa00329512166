// Starting programs under their launcher, signalling them, and learning how they end; also of
// programs that an earlier daemon started.

import { KILL_AGAIN_MS, LOCK_POLL_MS, LOCK_WAITERS, PROGRAM_FRESH_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { Ended, NodeEvent } from "../effects.ts";
import { decodeExit } from "../exits.ts";
import { LOG_STREAMS } from "../logs.ts";
import type { LaunchPlan } from "../plan.ts";
import type { FenceTools } from "../sandbox.ts";
import type { SavedReplica } from "../saved.ts";
import { BesideNotes } from "./beside_notes.ts";
import type { Cgroups } from "./cgroups.ts";
import { type NodeFiles, readText, writeAtomic } from "./files.ts";
import type { Helper, Tools } from "./helper.ts";
import { asAccount, checkProgram, type Program, programFault } from "./program.ts";
import { lastLines, sizeOf } from "./log_file.ts";
import type { NodeSecrets } from "./secrets.ts";
import { passesShell, SHIM, SHIM_NAME } from "./shim.ts";

const log = () => logger("process");

/** A program under its launcher. */
interface Running {
  readonly instance: number;
  /** The launcher's pid, which is its process group's and session's, too. */
  readonly group: number;
  pid: number;
  readonly plan: LaunchPlan | null;
  /** Where the kernel keeps it to its limits, if it does. */
  readonly cgroup: string | null;
  /** Where its lines begin in the log file of each stream. */
  readonly logStart: readonly number[];
}

export interface ProcessesOptions {
  readonly files: NodeFiles;
  readonly helper: Helper;
  readonly tools: Tools;
  readonly uid: number | null;
  readonly fence?: FenceTools;
  readonly cgroups: Cgroups;
  readonly secrets: NodeSecrets;
  dispatch(event: NodeEvent): void;
  /** The replica's log file grows, or is there. */
  logged(replica: string): void;
}

export class Processes {
  readonly #running = new Map<string, Running>();
  /** Replica -> the start of it whose launcher is not there yet. */
  readonly #coming = new Map<string, number>();
  readonly #programs = new Map<string, { command: readonly string[]; atMs: number }>();
  /** Replicas whose program was looked at. */
  readonly #checked = new Set<string>();
  #lockWaiters = 0;

  /** What runs beside replicas. */
  readonly beside: BesideNotes;

  constructor(private readonly options: ProcessesOptions) {
    this.beside = new BesideNotes(options.files.folder, options.helper);
  }

  /** The process group of a replica that runs, with its program's pid. */
  groupOf(replica: string): Pick<Running, "group" | "pid" | "instance" | "cgroup"> | undefined {
    return this.#running.get(replica);
  }

  // ---- Start --------------------------------------------------------------------------------------

  /** Saves the replica's state, starts its program and follows it to its end. */
  launch(replica: string, instance: number, plan: LaunchPlan, saved: SavedReplica): void {
    this.#coming.set(replica, instance);
    const fail = (reason: string) => this.#notLaunched(replica, instance, reason);
    try {
      this.options.files.save(saved);
    } catch (error) {
      return fail(`its state cannot be written: ${(error as Error).message}`);
    }
    const spawn = (command: readonly string[], cgroup: string | null) => {
      const isWanted = this.#coming.get(replica) === instance;
      if (!isWanted) return cgroup === null ? undefined : void this.options.cgroups.end(cgroup);
      try {
        this.#spawn(replica, instance, plan, command, cgroup);
      } catch (error) {
        if (cgroup !== null) this.options.cgroups.end(cgroup);
        fail(spawnFailure(plan, error));
      }
    };
    const start = (command: readonly string[]) => {
      const { cgroups, secrets, helper } = this.options;
      if (plan.secrets && !secrets.has(replica)) {
        const own = async (path: string) => {
          if (plan.user !== undefined) await helper.user(plan.user, path);
        };
        const prepared = secrets.prepare(replica, plan.secrets, own);
        prepared.then(() => start(command), (error) => fail((error as Error).message));
        return;
      }
      if (!cgroups.available) return spawn(command, null);
      cgroups.make(replica, instance, plan.limits).then((cgroup) => spawn(command, cgroup));
    };
    const known = this.#known(replica, plan);
    if (known) return start(known);
    const around = { ...this.options, volumePath: (path: string) => this.volumePath(path) };
    checkProgram(around, plan, this.#folder(replica)).then((program) => {
      if ("reason" in program) return fail(program.reason);
      this.#programs.set(programKey(plan), { command: program.command, atMs: performance.now() });
      this.#checked.add(replica);
      start(program.command);
    });
  }

  /** Starts it no more; one whose launcher is there is left to `launched`, and ended then. */
  callOff(replica: string, instance: number): void {
    this.#notLaunched(replica, instance, "its start was called off");
  }

  /** Said once of each start. */
  #notLaunched(replica: string, instance: number, reason: string): void {
    if (this.#coming.get(replica) !== instance) return;
    this.#coming.delete(replica);
    this.options.dispatch({ on: "launch-failed", replica, instance, reason });
  }

  /** Why a plan's program could not be executed now; `null` where it could. Changes nothing. */
  faultOf(plan: LaunchPlan): Promise<string | null> {
    return programFault(this.options, plan);
  }

  /**
   * The command of a program that could be executed before: a restart is to be fast and does not look
   * again, nor do other replicas at once. Should it no longer be executable, the launcher tells.
   */
  #known(replica: string, plan: LaunchPlan): readonly string[] | undefined {
    const known = this.#programs.get(programKey(plan));
    if (!known || this.#checked.has(replica)) return known?.command;
    const fresh = performance.now() - known.atMs < PROGRAM_FRESH_MS;
    const isAnyones = plan.user === undefined && plan.uid === undefined && !plan.fence;
    return fresh && isAnyones ? known.command : undefined;
  }

  #folder(replica: string): string {
    return this.options.files.folderOf(replica);
  }

  #spawn(
    replica: string,
    instance: number,
    plan: LaunchPlan,
    command: readonly string[],
    cgroup: string | null,
  ): void {
    const folder = this.#folder(replica);
    const env = this.environmentOf(replica, plan);
    const shell: Record<string, string> = {};
    const odd: string[] = [];
    const secret = this.options.secrets.environmentOf(replica);
    for (const [name, value] of Object.entries(env)) {
      if (passesShell(name)) shell[name] = value;
      else if (name in secret) throw new Error(`a shell cannot pass on the secret ${name}`);
      else odd.push(`${name}=${value}`);
    }
    const through = odd.length === 0 ? [] : [this.options.tools.env, ...odd];
    const logStart = LOG_STREAMS.map(([, file]) => sizeOf(`${folder}/${file}`));
    // `detached` makes Deno fork, which takes milliseconds in a process of its size; setsid(1) lets
    // it spawn.
    const { setsid, locker } = this.options.tools;
    const filter = this.options.secrets.filterOf(replica) ?? "";
    const start = [folder, String(instance), locker, cgroup ?? "", filter];
    const launcher = ["-c", SHIM, SHIM_NAME, ...start];
    const child = new Deno.Command(setsid === "" ? "/bin/sh" : setsid, {
      args: (setsid === "" ? [] : ["/bin/sh"]).concat(launcher, through, command, plan.args),
      cwd: plan.cwd,
      env: shell,
      clearEnv: true,
      detached: setsid === "",
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const running = { instance, group: child.pid, pid: 0, plan, cgroup, logStart };
    this.#running.set(replica, running);
    this.#coming.delete(replica);
    child.unref();
    this.#follow(replica, running, child);
  }

  /** The whole environment of a replica's program. */
  environmentOf(replica: string, plan: LaunchPlan): Record<string, string> {
    const env: Record<string, string> = {
      HOME: `${this.#folder(replica)}/home`,
      ...plan.env,
      ...this.options.secrets.environmentOf(replica),
    };
    for (const volume of plan.volumes) {
      if (volume.env !== undefined) env[volume.env] = this.volumePath(volume.path);
    }
    return env;
  }

  /** The command that runs another program as a replica's is run; or why the node cannot. */
  asReplica(replica: string, plan: LaunchPlan, program: string): Promise<Program> {
    const around = { ...this.options, volumePath: (path: string) => this.volumePath(path) };
    return asAccount(around, plan, program, this.#folder(replica));
  }

  volumePath(path: string): string {
    return path.startsWith("/") ? path : `${this.options.files.folder}/volumes/${path}`;
  }

  async #follow(replica: string, running: Running, child: Deno.ChildProcess): Promise<void> {
    const { instance } = running;
    const pid = await firstNumber(child.stdout);
    if (pid !== null) {
      running.pid = pid;
      this.options.logged(replica);
      this.options.dispatch({ on: "launched", replica, instance, pid });
    }
    const { code } = await child.status;
    if (pid === null) {
      this.#running.delete(replica);
      if (running.cgroup !== null) this.options.cgroups.end(running.cgroup);
      // It writes a code down before it ends itself with its group.
      const reason = launcherFailure(readExit(this.#folder(replica), instance) ?? code);
      return this.options.dispatch({ on: "launch-failed", replica, instance, reason });
    }
    await this.#finish(replica, running);
  }

  // ---- End ----------------------------------------------------------------------------------------

  async #finish(replica: string, running: Running): Promise<void> {
    const { instance, group, logStart } = running;
    const status = readExit(this.#folder(replica), instance);
    // Without a code the launcher was killed, perhaps alone: then its group is still there.
    if (status === null) await killAll(-group);
    const oom = running.cgroup !== null && await this.options.cgroups.end(running.cgroup);
    this.#running.delete(replica);
    this.options.logged(replica);
    const ended = { ...this.#ended(replica, status, logStart), oom };
    if (ended.notLaunched) {
      this.#checked.delete(replica);
      if (running.plan) this.#programs.delete(programKey(running.plan));
    }
    this.options.dispatch({ on: "exited", replica, instance, ended });
  }

  #ended(replica: string, status: number | null, logStart: readonly number[]): Ended {
    // What it wrote to standard error comes last: that is where the reason is.
    const written = LOG_STREAMS.map(([, file], at) =>
      lastLines(`${this.#folder(replica)}/${file}`, logStart[at] ?? 0)
    ).filter((text) => text !== "").join("\n");
    const tail = this.options.secrets.redact(replica, written);
    const last = tail.slice(tail.lastIndexOf("\n") + 1);
    const notLaunched = (status === 126 || status === 127) && last.startsWith(`${SHIM_NAME}: `);
    return {
      ...(status === null ? {} : decodeExit(status, Deno.build.os)),
      lost: status === null,
      notLaunched,
      tail: notLaunched ? last.replace(/^.*?: (line )?[0-9]+: (exec: )?/, "") : tail,
    };
  }

  /** The replica is gone for good. */
  forget(replica: string): void {
    this.#checked.delete(replica);
    this.options.secrets.forget(replica);
  }

  /** Signals the whole process group; a launcher that is gone has taken its group along. */
  signal(replica: string, instance: number, signal: string): void {
    const running = this.#running.get(replica);
    if (running?.instance !== instance) return;
    try {
      Deno.kill(-running.group, signal as Deno.Signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        log().error("cannot send {signal} to {replica}: {error}", { signal, replica, error });
      }
    }
  }

  // ---- Adoption -----------------------------------------------------------------------------------

  /**
   * Looks whether what a replica's state speaks of still runs, and if so follows it to its end.
   * If not, no launcher that was on its way can start it any more.
   */
  async adopt(
    replica: string,
    instance: number,
  ): Promise<{ readonly running: boolean; readonly pid?: number }> {
    const folder = this.#folder(replica);
    let lock: Deno.FsFile;
    try {
      lock = Deno.openSync(`${folder}/lock`, { write: true, create: true });
    } catch (error) {
      log().error("cannot open the lock of {replica}: {error}", { replica, error });
      return { running: false };
    }
    if (lock.tryLockSync(true)) {
      writeAtomic(`${folder}/fence`, `${instance}\n`);
      lock.close();
      return { running: false };
    }
    const known = await launcherOf(folder, instance) ??
      await this.#launcherWithoutWord(replica, instance, lock);
    if (!known) {
      // The launcher ended before it started the program.
      await lock.lock(true);
      lock.close();
      return { running: false };
    }
    const cgroup = await this.options.cgroups.find(replica, instance);
    const running = { instance, ...known, plan: null, cgroup, logStart: [] };
    this.#running.set(replica, running);
    this.#awaitLock(lock).then(() => {
      lock.close();
      return this.#finish(replica, running);
    });
    return { running: true, pid: known.pid };
  }

  /**
   * The launcher lives, and what it wrote down about itself is lost or damaged: the processes
   * themselves tell. Where they do not, they are ended, so that nothing runs that nobody watches.
   */
  async #launcherWithoutWord(
    replica: string,
    instance: number,
    lock: Deno.FsFile,
  ): Promise<{ readonly group: number; readonly pid: number } | null> {
    if (lock.tryLockSync(true)) {
      lock.unlockSync();
      return null;
    }
    const { helper } = this.options;
    const found = await helper.launcher(replica);
    if (found) {
      log().warn("{replica} runs in group {group}, though its pid file does not say so", {
        replica,
        group: found.group,
      });
      writeAtomic(`${this.#folder(replica)}/pid`, `${instance} ${found.group} ${found.pid}\n`);
      return found;
    }
    for (const pid of await helper.strays(replica)) await killAll(pid);
    return null;
  }

  /** How the process of an adopted replica ended that did not run any more. */
  async past(replica: string, instance: number): Promise<void> {
    const status = readExit(this.#folder(replica), instance);
    if (status === null) {
      for (const pid of await this.options.helper.strays(replica)) {
        log().warn("ends {pid}, which {replica} left behind", { pid, replica });
        await killAll(pid);
      }
    }
    const cgroup = await this.options.cgroups.find(replica, instance);
    const oom = cgroup !== null && await this.options.cgroups.end(cgroup);
    const ended = { ...this.#ended(replica, status, []), oom };
    this.options.dispatch({ on: "exited", replica, instance, ended });
  }

  /** Ends whatever runs below the state folder of which it holds nothing: its folders were removed. */
  async endUnknown(known: ReadonlySet<string>): Promise<void> {
    const launchers = await this.options.helper.launchers(`${this.options.files.folder}/replicas`);
    for (const { replica, group } of launchers) {
      if (known.has(replica)) continue;
      log().error("{replica} runs in group {group} and its folder is gone: it is ended", {
        replica,
        group,
      });
      await killAll(-group);
    }
  }

  /** Ends whatever a replica runs whose state cannot be read, and sets that state aside. */
  async abandon(replica: string): Promise<void> {
    const folder = this.#folder(replica);
    const [, group] = (readText(`${folder}/pid`) ?? "").trim().split(" ").map(Number);
    using lock = Deno.openSync(`${folder}/lock`, { write: true, create: true });
    if (!lock.tryLockSync(true)) {
      if (group) await killAll(-group);
      await lock.lock(true);
    }
    for (const pid of await this.options.helper.strays(replica)) await killAll(pid);
    try {
      Deno.renameSync(`${folder}/replica.json`, `${folder}/replica.json.damaged`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #awaitLock(lock: Deno.FsFile): Promise<void> {
    if (this.#lockWaiters >= LOCK_WAITERS) {
      while (!lock.tryLockSync(true)) {
        await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
      }
      return;
    }
    this.#lockWaiters++;
    try {
      await lock.lock(true);
    } finally {
      this.#lockWaiters--;
    }
  }
}

/** What a check of a program depends on. */
function programKey({ exec, path, user, volumes, paths, uid, fence, cwd }: LaunchPlan): string {
  return JSON.stringify([exec, path, user, volumes, paths, uid, fence, fence && cwd]);
}

/** The pids that a launcher wrote down, once it has; `null` if it ended without. */
async function launcherOf(
  folder: string,
  instance: number,
): Promise<{ readonly group: number; readonly pid: number } | null> {
  for (let tries = 0; tries < 200; tries++) {
    const [known, group, pid] = (readText(`${folder}/pid`) ?? "").trim().split(" ").map(Number);
    if (known === instance && group && pid) return { group, pid };
    using probe = Deno.openSync(`${folder}/lock`, { write: true });
    if (probe.tryLockSync(true)) return null;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return null;
}

/** The code in a launcher's exit file; `null` where it wrote none, or not all of it. */
export function readExit(folder: string, instance: number): number | null {
  const match = /^([0-9]+) ([0-9]{1,3})\n$/.exec(readText(`${folder}/exit`) ?? "");
  return Number(match?.[1]) === instance ? Number(match![2]) : null;
}

/** Reads the number on a stream's first line; `null` if it ends without one. */
async function firstNumber(stream: ReadableStream<Uint8Array>): Promise<number | null> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  reader.cancel().catch(() => {});
  const pid = Number.parseInt(text);
  return Number.isNaN(pid) ? null : pid;
}

/** Ends a process, or a group (negative), and waits until it is gone, as long as that can take. */
async function killAll(target: number): Promise<void> {
  const deadline = performance.now() + KILL_AGAIN_MS / 4;
  try {
    for (;;) {
      Deno.kill(target, "SIGKILL");
      // A zombie that nobody reaps cannot run or listen, and is not waited for longer than this.
      if (performance.now() > deadline) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    log().warn("cannot end {target}: {error}", { target, error });
  }
}

function spawnFailure(plan: LaunchPlan, error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return `its folder ${plan.cwd} does not exist`;
  return `its launcher cannot be started: ${(error as Error).message}`;
}

/** Why a launcher ended before it told a pid; the codes are those of shim.ts. */
function launcherFailure(code: number): string {
  switch (code) {
    case 95:
      return "it cannot be put into its cgroup";
    case 96:
      return "its launcher cannot write into the replica's folder";
    case 97:
      return "its launcher was overtaken by a later start";
    case 98:
      return "an earlier launcher of it still runs";
    default:
      return `its launcher ended with code ${code} before it started the program`;
  }
}
