// Files that an operator copies to or from a replica, as an archive. The work is done by tar(1), under
// the replica's account and in its sandbox, so that it reaches no more than the replica does.

import type { CopyDetails } from "../../core/stream/details.ts";
import { exitContent } from "../../core/stream/frames.ts";
import { STREAM_GRACE_MS } from "../../core/limits.ts";
import { StreamLink } from "../../core/live/stream_link.ts";
import type { LaunchPlan } from "../plan.ts";
import { endGroup, spawnBeside } from "./beside.ts";
import type { Processes } from "./process.ts";
import type { Begun, StreamParts } from "./streams.ts";

/**
 * What both scripts begin with. `$1`: the path; `$2`: `any` where it may be anywhere; from `$3` on: the
 * folders that it must be in otherwise. They are compared as they really are, without links.
 */
const WITHIN = `
umask 022
say() { printf '%s\\n' "$1" >&2; exit 1; }
path=$1 reach=$2; shift 2
within() {
  [ "$reach" = any ] && return
  here=$(pwd -P)
  for root; do
    root=$(cd -P -- "$root" 2>/dev/null && pwd -P) || continue
    case $here/ in "\${root%/}"/*) return ;; esac
  done
  say "$path lies outside the replica's folders; only an admin may copy there"
}
`;

/**
 * Takes an archive from standard input: `content`, which is what is copied, and then an empty `whole`,
 * without which something is missing. It is unpacked beside its place and renamed into it. However
 * many signals come, and whenever, it takes away what it had begun: mktemp says what it has made even
 * then, and tar is waited for in the background, since a signal between the shell's fork and tar's
 * beginning is lost to tar, and the shell acts on its own only when what it runs in the foreground has
 * ended.
 */
export const COPY_IN = `name=$1 folder=$2; shift 2
${WITHIN}
case $path in */) [ -d "$path" ] || say "$path is no folder here" ;; esac
if [ -d "$path" ]; then cd -P -- "$path"
else
  rest=\${path%/*}
  name=\${path##*/}
  [ "$rest" = "$path" ] && rest=.
  cd -P -- "\${rest:-/}" 2>/dev/null
fi || say "the folder of $path is not there, or may not be entered"
within "$@"
case $name in ''|.|..) say "$path is no name for a file" ;; esac
[ -d "./$name" ] && say "$path: a folder $name is there already; remove it, or choose another name"
[ "$folder" ] && [ -e "./$name" ] && say "$path: $name is there already, and is no folder"
new= tar=
trap 'trap "" HUP INT TERM; [ "$new" ] && rm -rf -- "$new"' EXIT
trap 'trap "" HUP INT TERM; [ "$tar" ] && kill -KILL "$!" 2>/dev/null && wait "$!"; exit 1' HUP INT TERM
new=$(trap '' HUP INT TERM; mktemp -d ./.skr8tr-copy.XXXXXX) ||
  say "$path: its folder may not be written to"
exec 3<&0
tar=begins
tar -xpof - -C "$new" <&3 3<&- &
wait "$!" || say "$path: the archive could not be unpacked"
tar=
[ -e "$new/content" ] && [ -e "$new/whole" ] || say "$path: what came was not whole"
mv -f -- "$new/content" "./$name" || say "$path: it could not be put in its place"
`;

/** Writes an archive of what is at the path, `./...`, to standard output; its size in KiB comes first. */
const COPY_OUT = `${WITHIN}
[ -e "$path" ] || say "$path is not there"
while [ "$path" != / ] && [ "\${path%/}" != "$path" ]; do path=\${path%/}; done
if [ -d "$path" ]; then
  cd -P -- "$path" 2>/dev/null || say "$path may not be entered"
  within "$@"
  here=.
else
  rest=\${path%/*}
  [ "$rest" = "$path" ] && rest=.
  cd -P -- "\${rest:-/}" || say "$path may not be entered"
  within "$@"
  here=./\${path##*/}
  [ -L "$here" ] && say "$path is a link; name what it leads to"
  [ -f "$here" ] || say "$path is neither a file nor a folder"
fi
[ -r "$here" ] || say "$path may not be read"
du -sk "$here" 2>/dev/null | { read -r size rest; printf 'size %s\\n' "\${size:-0}" >&2; }
tar -cf - "$here"
code=$?
# GNU tar's 1: a file changed while it was read, as a log does.
[ "$code" = 1 ] && tar --version 2>/dev/null | grep -q GNU && code=0
exit "$code"
`;

/** Copies, and says how that ended. */
export async function serveCopy(
  parts: StreamParts,
  { opened, socket, cipher, details }: Begun & { readonly details: CopyDetails },
  begin: () => void,
): Promise<void> {
  const { processes } = parts;
  const { replica, plan, isAdmin } = opened;
  const link = new StreamLink({ socket, cipher, control: () => {} });
  const [data, told] = [link.channel(0), link.channel(1)];
  link.begin();
  begin();
  const finish = (code: number, error = "") =>
    link.exit(exitContent({ code, ...(error === "" ? {} : { error }) }));
  const isIn = details.way === "in";
  const reach = isAdmin ? "any" : "own";
  const name = [details.name ?? "", details.isFolder ? "folder" : ""];
  const where = [details.path, reach, ...foldersOf(processes, replica, plan)];
  const words = isIn ? [COPY_IN, "copy", ...name, ...where] : [COPY_OUT, "copy", ...where];
  let child: Deno.ChildProcess;
  try {
    child = await spawnBeside(processes, replica, plan, {
      words: ["/bin/sh", "-c", ...words],
      stdin: isIn ? "piped" : "null",
    });
  } catch (error) {
    return finish(126, (error as Error).message);
  }
  const gone = link.over.then(async () => {
    // The script takes away what it has begun.
    endGroup(child.pid, "SIGTERM");
    const timer = setTimeout(() => endGroup(child.pid, "SIGKILL"), STREAM_GRACE_MS);
    await child.status;
    clearTimeout(timer);
  });
  // What breaks off must not look like an end to tar(1).
  const sent = isIn
    ? data.readable.pipeTo(child.stdin, { preventAbort: true })
      .catch(() => endGroup(child.pid, "SIGTERM"))
    : child.stdout.pipeTo(data.writable).catch(() => {});
  if (isIn) child.stdout.cancel().catch(() => {});
  const writer = told.writable.getWriter();
  let said = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    said = (said + part).slice(-2_000);
    writer.write(new TextEncoder().encode(part)).catch(() => {});
  }
  const { code } = await child.status;
  if (!isIn) await sent;
  await finish(code, code === 0 ? "" : lastWords(said));
  await gone;
}

/** Where a replica keeps what is its own. */
function foldersOf(processes: Processes, replica: string, plan: LaunchPlan): string[] {
  const { HOME = "" } = processes.environmentOf(replica, plan);
  return [plan.cwd, HOME, ...plan.volumes.map(({ path }) => processes.volumePath(path))];
}

/** What a script said last: its reason, which comes after tar's own. */
function lastWords(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("size "));
  return lines.at(-1) ?? "tar(1) failed";
}
