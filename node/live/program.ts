// Whether a program can be executed here, found out before it is tried, so that the reason is clear.

import type { LaunchPlan } from "../plan.ts";
import { fenceCommand, type FenceTools } from "../sandbox.ts";
import type { PathCheck } from "../workload.ts";
import type { Helper, Tools } from "./helper.ts";

/** ELF's `e_machine` of this machine, and the others' names. */
const MACHINES: Readonly<Record<number, string>> = {
  0x03: "x86",
  0x28: "arm",
  0x3e: "x86_64",
  0xb7: "aarch64",
  0xf3: "riscv64",
  0x15: "ppc64",
  0x16: "s390",
};

const NO_FENCE = "this node cannot enforce its sandbox";

export type Program = { readonly command: readonly string[] } | { readonly reason: string };

export interface ProgramOptions {
  readonly helper: Helper;
  readonly tools: Tools;
  readonly uid: number | null;
  readonly fence?: FenceTools;
  /** Where a volume is on this node. */
  volumePath(path: string): string;
}

/**
 * The command that executes a plan's program, or why it cannot be: not found, a folder, not
 * executable, built for another machine, its interpreter missing, its user unknown. Makes the
 * volumes' folders, too.
 */
export async function checkProgram(
  options: ProgramOptions,
  plan: LaunchPlan,
  folder: string,
): Promise<Program> {
  for (const volume of plan.volumes) {
    const path = options.volumePath(volume.path);
    const made = await options.helper.folder(path);
    if (made !== true) {
      const why = made === null ? ": the node's helper does not answer" : "";
      return { reason: `its volume ${path} cannot be made on this node${why}` };
    }
  }
  const looked = await look(options, plan);
  if ("reason" in looked) return looked;
  const { found } = looked;
  if (!found) return { command: [plan.exec] };
  return await asAccount(options, plan, found.path, folder);
}

/**
 * The command that runs a program as a plan says: in its fence, under its account. Gives the account
 * what is the replica's own, too.
 *
 * @param program absolute
 */
export async function asAccount(
  options: ProgramOptions,
  plan: LaunchPlan,
  program: string,
  folder: string,
): Promise<Program> {
  if (plan.uid !== undefined) await ownAll(options, plan, folder, plan.uid);
  if (plan.fence) {
    const { cwd, fence, uid } = plan;
    const tools = options.fence;
    if (!tools) return { reason: NO_FENCE };
    return { command: fenceCommand(fence, tools, program, cwd, uid) };
  }
  if (plan.uid !== undefined) {
    const id = [`--reuid=${plan.uid}`, `--regid=${plan.uid}`, "--clear-groups"];
    return { command: [options.tools.setpriv, ...id, "--no-new-privs", program] };
  }
  if (plan.user === undefined) return { command: [program] };
  return await asUser(options, { ...plan, user: plan.user }, program, folder);
}

/** Looks for all that a plan names; `found` is `null` where nobody can tell. */
async function look(
  { helper }: Pick<ProgramOptions, "helper">,
  plan: LaunchPlan,
): Promise<{ readonly found: Found | null } | { readonly reason: string }> {
  for (const check of plan.paths ?? []) {
    const reason = pathReason(check, await helper.find(plan.path, check.path));
    if (reason !== null) return { reason };
  }
  const found = await helper.find(plan.path, plan.exec);
  const reason = found && reasonOf(plan, found);
  return reason === null ? { found } : { reason };
}

/**
 * Why a plan's program could not be executed, as far as that can be told without making or changing
 * anything; `null` where nothing speaks against it.
 */
export async function programFault(
  options: Omit<ProgramOptions, "volumePath">,
  plan: LaunchPlan,
): Promise<string | null> {
  const looked = await look(options, plan);
  if ("reason" in looked) return looked.reason;
  const folder = await options.helper.find(plan.path, plan.cwd);
  if (folder?.state === "missing") return `its folder ${plan.cwd} does not exist on this node`;
  if (plan.fence && !options.fence) return NO_FENCE;
  return plan.user === undefined ? null : whyNotAs(options, plan.user);
}

/** Why a file or folder that a program needs will not do; `null` where it will, or nobody can tell. */
function pathReason(check: PathCheck, found: Found | null): string | null {
  const reason = whyNotThere(check, found);
  return reason === null || check.remedy === undefined ? reason : `${reason}; ${check.remedy}`;
}

function whyNotThere({ path, kind, what }: PathCheck, found: Found | null): string | null {
  if (path.includes(",")) return `${what} ${path} has a comma, which no permission can carry`;
  if (!found) return null;
  if (found.state === "missing" && kind === "program") {
    return `${what} ${path} is not on this node's path`;
  }
  if (found.state === "missing") return `${what} ${path} does not exist on this node`;
  if (kind === "any") return null;
  if (kind === "program") {
    return found.state === "ok" ? null : `${what} ${path} cannot be executed on this node`;
  }
  const isFolder = found.state === "folder";
  if (kind === "folder" && !isFolder) return `${what} ${path} is no folder`;
  if (kind === "file" && isFolder) return `${what} ${path} is a folder, not a file`;
  return null;
}

export interface Found {
  readonly state: "ok" | "missing" | "folder" | "not-executable" | "no-interpreter";
  readonly path: string;
  /** The first 20 bytes, in hex. */
  readonly head: string;
  readonly interpreter: string;
}

function reasonOf(plan: LaunchPlan, found: Found): string | null {
  const { exec } = plan;
  switch (found.state) {
    case "missing":
      return exec.startsWith("/")
        ? `${exec} does not exist on this node`
        : `${exec} is not on the node's path (${plan.path})`;
    case "folder":
      return `${found.path} is a folder, not a program`;
    case "not-executable":
      return `${found.path} is not executable; chmod +x it`;
    case "no-interpreter":
      return `${found.path} begins with #!${found.interpreter}, which does not exist here`;
    case "ok":
      return formatReason(found);
    default:
      return found.state satisfies never;
  }
}

/** Why the kernel will not execute a file that begins so; `null` where it will. */
export function formatReason(
  { path, head }: Pick<Found, "path" | "head">,
  machine: string = Deno.build.arch,
): string | null {
  if (head === "" || head.startsWith("2321")) return null;
  if (head.startsWith("7f454c46")) {
    // Little-endian `e_machine` at offset 18; big-endian (byte 5 is 2) machines run no Deno.
    const code = Number.parseInt(head.slice(38, 40) + head.slice(36, 38), 16);
    const built = MACHINES[code] ?? `machine ${code}`;
    return built === machine ? null : `${path} is built for ${built}, this node is ${machine}`;
  }
  if (Deno.build.os === "darwin" && /^(cffaedfe|cafebabe)/.test(head)) return null;
  return `${path} is no program: it begins with neither #! nor this system's executable header`;
}

/** Gives a replica's own folders to its account. */
async function ownAll(
  { helper, volumePath }: ProgramOptions,
  plan: LaunchPlan,
  folder: string,
  uid: number,
): Promise<void> {
  await helper.own(uid, `${folder}/home`);
  for (const { path } of plan.volumes.filter((volume) => !volume.path.startsWith("/"))) {
    await helper.own(uid, volumePath(path));
  }
}

/** Why this node can start nothing as another user; `null` where it can. */
function whyNotAs(
  { uid, tools }: Pick<ProgramOptions, "uid" | "tools">,
  user: string,
): string | null {
  if (uid !== 0) {
    return `user ${user}: only a node that runs as root can start a program as another`;
  }
  return tools.setpriv === "" ? `user ${user}: setpriv is missing here` : null;
}

async function asUser(
  options: ProgramOptions,
  plan: LaunchPlan & { readonly user: string },
  program: string,
  folder: string,
): Promise<Program> {
  const { user } = plan;
  const reason = whyNotAs(options, user);
  if (reason !== null) return { reason };
  const ids = await options.helper.user(user, `${folder}/home`);
  for (const { path } of plan.volumes.filter((volume) => !volume.path.startsWith("/"))) {
    await options.helper.user(user, options.volumePath(path));
  }
  if (!ids) return { reason: `user ${user} does not exist on this node` };
  return {
    command: [
      options.tools.setpriv,
      `--reuid=${ids.uid}`,
      `--regid=${ids.gid}`,
      "--init-groups",
      program,
    ],
  };
}
