# Ends when a process above process $1 ends: deno, npm and their shells, up to and including the
# first that is none of these, which is who started it all. Another session (setsid) is not watched.

# state, ppid, session of process $1; fails if there is none, or only its zombie
facts() {
  state= ppid= session=
  if [ -r "/proc/$1/stat" ]; then
    IFS= read -r line < "/proc/$1/stat" || return 1
    set -- ${line##*) }
    state=$1 ppid=$2 session=$4
  else
    set -- $(ps -o stat= -o ppid= -o sess= -p "$1")
    state=$1 ppid=$2 session=$3
  fi
  case $state in '' | Z* | X*) return 1 ;; esac
}

command_line() {
  if [ -r "/proc/$1/cmdline" ]; then tr '\0' ' ' < "/proc/$1/cmdline"; else ps -o args= -p "$1"; fi
}

facts "$1" || exit 0
own=$session child=$1 parent=$ppid chain=
while :; do
  if [ "$parent" -le 1 ] || ! facts "$parent" || [ "$session" != "$own" ]; then
    chain="$chain $child:"
    break
  fi
  chain="$chain $child:$parent"
  child=$parent parent=$ppid
  case $(command_line "$child") in
    *deno*task* | npm\ * | npx\ * | pnpm\ * | yarn\ *) ;;
    *)
      chain="$chain $child:"
      break
      ;;
  esac
done

# a link is <pid>:<ppid>, the latter empty for the last; a changed ppid means the parent has ended
while :; do
  sleep 0.2 || sleep 1
  for link in $chain; do
    facts "${link%%:*}" || exit 0
    [ -z "${link#*:}" ] || [ "$ppid" = "${link#*:}" ] || exit 0
  done
done
