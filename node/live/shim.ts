/** Signals that the launcher must survive, so that it can write down how the program ended. */
const TRAPPED = "HUP INT QUIT TERM USR1 USR2 ALRM PIPE";

/**
 * The launcher: a POSIX shell between the node and a replica's program, in a session of its own.
 *
 * Arguments: the replica's folder, the number of the start, the program that locks, the start's
 * cgroup (empty: none), a script of sed(1) that its output goes through (empty: none), the command.
 *
 * - It locks `lock` for as long as it lives: a later daemon sees by that whether the program runs.
 * - `fence` names the last start that must not happen any more: a daemon that found the lock free
 *   when it adopted wrote it, so that a launcher that was late does not start a second program.
 * - A filter hides secrets before anything is written. It ends when nothing of the program is left
 *   that could write, or a second after the program.
 * - The program, and only it, goes into the cgroup: the launcher outlives a program whose memory is
 *   used up.
 * - It tells its own and the program's pid, in `pid` and by a line on standard output.
 * - A trapped signal is reset to its default in the program, which an ignored one would not be.
 * - It writes the start's number and `$?` to `exit` and then ends what is left of its process group, itself included:
 *   so nobody ever has to signal a group that may be gone.
 */
export const SHIM = `
dir=$1 instance=$2 locker=$3 cgroup=$4 filter=$5
shift 5
exec 2>/dev/null 9>>"$dir/lock" || exit 96
case $locker in
*perl) "$locker" -MFcntl=:flock -e 'open(F,">&=9") && flock(F,LOCK_EX|LOCK_NB) or exit 1' ;;
*) "$locker" -n -x 9 ;;
esac || exit 98
[ -e "$dir/fence" ] && read -r fence <"$dir/fence" && [ "$instance" -le "$fence" ] && exit 97
true >>"$dir/log" 2>>"$dir/log.err" || exit 96
trap : ${TRAPPED}
out=$dir/log err=$dir/log.err filtering=
if [ "$filter" ]; then
  for each in log log.err; do
    pipe=\${filter%/*}/$each.pipe
    rm -f "$pipe"
    mkfifo -m 600 "$pipe" || exit 96
    (
      trap '' ${TRAPPED}
      exec 9>&-
      unbuffered=$(sed --version >/dev/null 2>&1 && echo -u || echo -l)
      exec env -i LC_ALL=C PATH="$PATH" sed $unbuffered -f "$filter"
    ) <"$pipe" >>"$dir/$each" &
    filtering="$filtering $!"
  done
  out=\${filter%/*}/log.pipe err=\${filter%/*}/log.err.pipe
fi
(
  trap - ${TRAPPED}
  exec 3>&1 >>"$out" 2>>"$err" 9>&-
  [ "$cgroup" ] && { echo 0 >"$cgroup/cgroup.procs" || exit 95; }
  if [ -r /proc/self/stat ]; then read -r pid rest </proc/self/stat
  else pid=$(exec sh -c 'echo $PPID'); fi
  echo "$instance $$ $pid" >"$dir/pid"
  echo "$pid" >&3
  exec 3>&-
  unset dir instance locker cgroup filter out err each pipe filtering fence rest pid PWD OLDPWD SHLVL
  exec "$@"
)
code=$?
if [ "$filter" ]; then
  (sleep 1; kill -KILL $filtering) &
  for each in $filtering; do wait "$each"; done
  rm -f "$out" "$err"
fi
echo "$instance $code" >"$dir/exit"
kill -KILL 0
`;

/** What the shell puts before its own messages: by this a failed `exec` is told apart. */
export const SHIM_NAME = "skr8tr-launcher";

/** Names that a shell cannot pass on as they are. */
const OWN = new Set(
  "IFS OPTIND PPID PWD OLDPWD SHLVL LINENO PS1 PS2 PS4 UID EUID GROUPS RANDOM SECONDS _".split(" "),
);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SHIM_NAMES = new Set(
  "dir instance locker cgroup filter out err each pipe filtering code fence rest pid".split(" "),
);

/** Says whether a variable reaches the program unchanged through the launcher's shell. */
export function passesShell(name: string): boolean {
  return NAME.test(name) && !OWN.has(name) && !SHIM_NAMES.has(name) && !name.startsWith("BASH");
}
