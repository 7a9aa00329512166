# Kills replicas of the nodes' state folders $@ that still live, although their nodes have ended, and
# names each. A replica's launcher has the word "skr8tr-launcher" and after it the replica's folder,
# <state>/replicas/<id>, among its words, and leads the replica's process group.
#
# Where there is /proc every process is looked at, so that it does not matter whether the folder is
# still there. Elsewhere the folder's file `pid` says "<start> <process group> <pid>"; the group is
# killed only if its launcher was given that folder, so that a number which another process has
# meanwhile does no harm.

newline='
'

# Kills the group of process $1 if its words $2 are those of a launcher of a replica below $3.
kill_launcher() {
  case "$newline$2$newline" in
  *"${newline}skr8tr-launcher$newline$3/replicas/"*) ;;
  *) return ;;
  esac
  rest=${2##*"skr8tr-launcher$newline$3/replicas/"}
  kill -KILL "-$1" && echo "${rest%%"$newline"*}"
}

for state in "$@"; do
  if [ -r /proc/self/cmdline ]; then
    for file in $(grep -a -l -F -e "$state/replicas/" /proc/[0-9]*/cmdline 2>/dev/null); do
      pid=${file#/proc/}
      kill_launcher "${pid%/cmdline}" "$(tr '\0' '\n' <"$file" 2>/dev/null)" "$state"
    done
    continue
  fi
  for file in "$state"/replicas/*/pid; do
    [ -r "$file" ] || continue
    folder=${file%/pid}
    read -r start group pid < "$file" || continue
    case " $(ps -o args= -p "$group") " in
    *" skr8tr-launcher $folder "*) kill -KILL "-$group" && echo "${folder##*/}" ;;
    esac
  done
done
