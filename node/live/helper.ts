// The helper process (helper_script.ts): asked by lines, answering by lines.

import { HELPER_ANSWER_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { HELPER } from "./helper_script.ts";
import type { FenceTools } from "../sandbox.ts";
import type { Found } from "./program.ts";

const log = () => logger("helper");

/** Programs that the launcher needs, by absolute path; empty where there is none. */
export interface Tools {
  readonly locker: string;
  readonly env: string;
  readonly setpriv: string;
  readonly setsid: string;
}

/** Load of the machine between two samples. */
export interface Sample {
  readonly cpuPercent: number;
  readonly ramTotalBytes: number;
  readonly ramFreeBytes: number;
}

/** What a process group uses. */
export interface GroupUse {
  /** CPU that its processes and their ended children have used, in s. */
  readonly cpuS: number;
  /** Memory that they hold, what they share counted by each of them. */
  readonly residentBytes: number;
  readonly processes: number;
}

/** What a cgroup is to keep its processes to. */
export interface Limits {
  readonly ramBytes?: number;
  /** Cores. */
  readonly cpu?: number;
}

/** The kernel's period for CPU limits, in µs: the helper's script has the same. */
const CPU_PERIOD_US = 100_000;

interface Asked {
  readonly number: number;
  readonly line: string;
  resolve(answer: string | null): void;
}

/**
 * One question is answered after another. Answers are `null` where the helper could not give one; it
 * is then replaced, and what was asked after that question is asked again.
 */
export class Helper implements AsyncDisposable {
  #child: Deno.ChildProcess | null = null;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  /** Not answered yet; it is at the first of them. */
  #asked: Asked[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #number = 0;
  #before: { readonly busy: number; readonly all: number } | null = null;
  #closed = false;
  #clock: Promise<{ readonly ticksPerS: number; readonly pageBytes: number }> | null = null;

  /** @param path where the helper's own tools are looked for */
  constructor(private readonly path: string) {}

  async ask(verb: string, ...fields: string[]): Promise<string | null> {
    if (this.#closed || fields.some((field) => /[\t\n\r]/.test(field))) return null;
    const number = ++this.#number;
    const line = `${[number, verb, ...fields].join("\t")}\n`;
    const answer = new Promise<string | null>((resolve) => {
      this.#asked.push({ number, line, resolve });
    });
    this.#send(line);
    if (this.#asked.length === 1) this.#watch();
    return await answer;
  }

  #send(line: string): void {
    const child = this.#child ?? this.#start();
    this.#writer?.write(new TextEncoder().encode(line)).catch(() => this.#lose(child));
  }

  /** Waits for the first answer; those behind it have their time when it is their turn. */
  #watch(): void {
    clearTimeout(this.#timer);
    const [first] = this.#asked;
    if (!first) return;
    this.#timer = setTimeout(() => {
      log().error("no answer to {verb} in {ms} ms: the helper is replaced", {
        verb: first.line.trimEnd().split("\t")[1],
        ms: HELPER_ANSWER_MS,
      });
      if (this.#child) this.#lose(this.#child);
    }, HELPER_ANSWER_MS);
  }

  #start(): Deno.ChildProcess {
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", HELPER, "skr8tr-helper"],
      env: { PATH: this.path },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    child.unref();
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#read(child);
    return child;
  }

  async #read(child: Deno.ChildProcess): Promise<void> {
    let rest = "";
    try {
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#answered(line);
      }
    } catch (error) {
      log().debug("reading ended: {error}", { error });
    }
    this.#lose(child);
  }

  #answered(line: string): void {
    const cut = line.indexOf("\t");
    const number = Number(line.slice(0, cut));
    const index = this.#asked.findIndex((each) => each.number === number);
    if (index < 0) return;
    const lost = this.#asked.splice(0, index + 1);
    const asked = lost.pop();
    // Answers come in the order of the questions: what was passed over gets none any more.
    for (const { resolve } of lost) resolve(null);
    asked?.resolve(line.slice(cut + 1));
    this.#watch();
  }

  /** What it was at is not answered any more; the rest is asked of another. */
  #lose(child: Deno.ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#writer = null;
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    this.#asked.shift()?.resolve(null);
    if (this.#closed) { for (const { resolve } of this.#asked.splice(0)) resolve(null); }
    for (const { line } of this.#asked) this.#send(line);
    this.#watch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    if (!child) return;
    child.ref();
    this.#lose(child);
    await child.status;
  }

  // ---- Questions ----------------------------------------------------------------------------------

  async host(): Promise<string> {
    return (await this.ask("host"))?.trim() || "node";
  }

  /** Names this start of the machine; empty where it has no such name, `null`: no answer. */
  boot(): Promise<string | null> {
    return this.ask("boot");
  }

  async tools(): Promise<Tools & { readonly uid: number | null }> {
    const [locker = "", env = "/usr/bin/env", setpriv = "", setsid = "", uid] =
      (await this.ask("tools"))?.split("\t") ?? [];
    return { locker, env, setpriv, setsid, uid: uid === undefined ? null : Number(uid) };
  }

  /** What sandboxes are made of here. */
  async fence(tools: Tools & { readonly uid: number | null }): Promise<FenceTools> {
    const found = await this.find(this.path, "bwrap");
    return {
      bwrap: found?.state === "ok" ? found.path : "",
      setpriv: tools.setpriv,
      env: tools.env,
      root: tools.uid === 0,
    };
  }

  /** Gives a folder to an account that may have no name. */
  async own(uid: number, folder: string): Promise<void> {
    await this.ask("own", String(uid), folder);
  }

  /** Bytes free on a folder's file system; `null` where nobody can tell. */
  async space(folder: string): Promise<number | null> {
    const answer = await this.ask("space", folder);
    return /^[0-9]+$/.test(answer ?? "") ? Number(answer) * 1024 : null;
  }

  async find(path: string, name: string): Promise<Found | null> {
    const answer = await this.ask("find", path, name);
    if (answer === null || answer === "unknown") return null;
    const [state = "", file = "", head = "", interpreter = ""] = answer.split("\t");
    return { state: state as Found["state"], path: file, head, interpreter };
  }

  async user(
    name: string,
    home: string,
  ): Promise<{ readonly uid: number; readonly gid: number } | null> {
    const [uid, gid] = (await this.ask("user", name, home))?.split("\t").map(Number) ?? [];
    return uid === undefined || gid === undefined ? null : { uid, gid };
  }

  /**
   * Whose process listens where a connection to `host`:`port` goes.
   *
   * @param replica the program's pid and its process group
   */
  async owner(
    replica: { readonly pid: number; readonly group: number },
    host: string,
    port: number,
  ): Promise<{ readonly owner: "own" | "other" | "unknown"; readonly detail: string }> {
    const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
    const answer = await this.ask(
      "owner",
      String(replica.pid),
      String(replica.group),
      hexPort,
      procAddress(host),
    );
    const [owner = "", pid = "", name = ""] = answer?.split("\t") ?? [];
    if (owner === "own") return { owner, detail: "" };
    if (owner !== "other") return { owner: "unknown", detail: "" };
    return { owner, detail: pid === "" ? "another program" : `pid ${pid} (${name})` };
  }

  /** Processes whose environment says that they belong to this replica. */
  async strays(replica: string): Promise<number[]> {
    const answer = await this.ask("strays", replica);
    return (answer ?? "").split(" ").filter((each) => each !== "").map(Number);
  }

  /** Launchers of replicas whose folders are in this one: their process groups. */
  async launchers(
    folder: string,
  ): Promise<{ readonly replica: string; readonly group: number }[]> {
    return (await this.ask("launchers", folder) ?? "").split(" ").flatMap((each) => {
      const cut = each.indexOf(":");
      return cut < 0 ? [] : [{ group: Number(each.slice(0, cut)), replica: each.slice(cut + 1) }];
    });
  }

  /**
   * The launcher of this replica, which leads its group, and the program that it started; `null`
   * where no process is known to be that.
   */
  async launcher(
    replica: string,
  ): Promise<{ readonly group: number; readonly pid: number } | null> {
    const family = (await this.ask("family", replica) ?? "").split(" ").filter((each) =>
      each !== ""
    )
      .map((each) => each.split(":").map(Number));
    for (const [pid = 0, , group] of family) {
      const program = family.find(([, parent]) => parent === pid);
      if (pid === group && program?.[0] !== undefined) return { group, pid: program[0] };
    }
    return null;
  }

  /** What each process group of the machine uses. */
  async groups(): Promise<Map<number, GroupUse>> {
    const { ticksPerS, pageBytes } = await (this.#clock ??= this.#askClock());
    const uses = new Map<number, GroupUse>();
    for (const part of (await this.ask("groups") ?? "").split(" ")) {
      const [group, cpuTicks = 0, residentPages = 0] = part.split(":").map(Number);
      if (!group) continue;
      const known = uses.get(group) ?? { cpuS: 0, residentBytes: 0, processes: 0 };
      uses.set(group, {
        cpuS: known.cpuS + cpuTicks / ticksPerS,
        residentBytes: known.residentBytes + residentPages * pageBytes,
        processes: known.processes + 1,
      });
    }
    return uses;
  }

  async #askClock(): Promise<{ readonly ticksPerS: number; readonly pageBytes: number }> {
    const [ticksPerS = 0, pageBytes = 0] = (await this.ask("clock"))?.split("\t").map(Number) ?? [];
    return { ticksPerS: ticksPerS || 100, pageBytes: pageBytes || 4096 };
  }

  /** Memory that a process group holds, what is shared with others by its share; 0 where unknown. */
  async sharedBytes(group: number): Promise<number> {
    return 1024 * (Number(await this.ask("shared", String(group))) || 0);
  }

  // ---- Limits by cgroup v2 ------------------------------------------------------------------------

  /**
   * A folder of the node's own in the cgroup v2 tree, with memory and CPU to give; or why there is
   * none.
   *
   * @param tree where the tree is mounted, if not where the machine has it
   */
  async cgroup(
    name: string,
    tree?: string,
  ): Promise<{ readonly folder: string } | { readonly reason: string }> {
    const answer = await this.ask("cgroup", name, ...(tree === undefined ? [] : [tree]));
    const [state, text = ""] = answer?.split("\t") ?? [];
    return state === "ok" ? { folder: text } : { reason: text || "its helper gave no answer" };
  }

  /** Makes a cgroup; says whether it is there with all its limits. */
  async limit(folder: string, { ramBytes, cpu }: Limits): Promise<boolean> {
    const ram = ramBytes === undefined ? "-" : String(ramBytes);
    // The kernel takes no quota below 1 ms.
    const quota = cpu === undefined
      ? "-"
      : String(Math.max(1_000, Math.round(cpu * CPU_PERIOD_US)));
    return await this.ask("limit", folder, ram, quota) === "ok";
  }

  /** `null`: it gave no answer. */
  async hasLimits(folder: string): Promise<boolean | null> {
    const answer = await this.ask("limited", folder);
    return answer === null ? null : answer === "ok";
  }

  /** Removes the empty cgroups in a folder, but for these. */
  async tidyLimits(folder: string, keep: readonly string[]): Promise<void> {
    await this.ask("tidy", folder, keep.length === 0 ? "-" : keep.join(" "));
  }

  /** Ends what is left in a cgroup and removes it. `null`: it gave no answer. */
  async unlimit(
    folder: string,
  ): Promise<{ readonly oomKills: number; readonly gone: boolean } | null> {
    const answer = await this.ask("unlimit", folder);
    if (answer === null) return null;
    const [kills, state] = answer.split("\t");
    return { oomKills: Number(kills) || 0, gone: state === "ok" };
  }

  /**
   * Gives the beginning of a file back to the disk, without changing its length or what follows.
   *
   * @returns false where its file system cannot do that
   */
  async punch(path: string, bytes: number): Promise<boolean> {
    return await this.ask("punch", path, String(bytes)) === "ok";
  }

  /** Makes a folder, outside the state folder, too. `null` where nobody can tell. */
  async folder(path: string): Promise<boolean | null> {
    const answer = await this.ask("folder", path);
    return answer === null ? null : answer === "ok";
  }

  /** The machine's load since the last sample; `null` where it cannot be known. */
  async sample(cores: number): Promise<Sample | null> {
    const [cpu = "", total, free] = (await this.ask("sample"))?.split("\t") ?? [];
    if (total === undefined || free === undefined) return null;
    return {
      cpuPercent: this.#cpuPercent(cpu, cores),
      ramTotalBytes: Number(total) * 1024 || 0,
      ramFreeBytes: Number(free) * 1024 || 0,
    };
  }

  #cpuPercent(text: string, cores: number): number {
    if (text.startsWith("percent ")) {
      return Math.min(100, Number(text.slice(8)) / 100 / cores || 0);
    }
    const ticks = text.trim().split(/\s+/).slice(0, 8).map(Number);
    const all = ticks.reduce((sum, each) => sum + each, 0);
    const busy = all - (ticks[3] ?? 0) - (ticks[4] ?? 0);
    const before = this.#before;
    this.#before = { busy, all };
    if (!before || all <= before.all) return 0;
    const percent = 100 * (busy - before.busy) / (all - before.all);
    return Math.round(Math.max(0, Math.min(100, percent)) * 10) / 10;
  }
}

/** An IPv4 address as `/proc/net/tcp` writes it (on a little-endian machine); else empty. */
export function procAddress(host: string): string {
  const parts = host.split(".").map(Number);
  if (parts.length !== 4) return "";
  return parts.reverse().map((part) => part.toString(16).toUpperCase().padStart(2, "0")).join("");
}
