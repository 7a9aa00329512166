# Kills replicas of the nodes' state folders $@ that still live, although their nodes have ended, and
# names each. A replica's folder is <state>/replicas/<id>; its file `pid` says
# "<start> <process group> <pid>". The group is killed only if its launcher was given that folder, so
# that a number which another process has meanwhile does no harm.

for state in "$@"; do
  for file in "$state"/replicas/*/pid; do
    [ -r "$file" ] || continue
    folder=${file%/pid}
    read -r start group pid < "$file" || continue
    if [ -r "/proc/$group/cmdline" ]; then words=$(tr '\0' '\n' < "/proc/$group/cmdline")
    else words=$(ps -o args= -p "$group" | tr ' ' '\n'); fi
    case "
$words
" in
    *"
$folder
"*) kill -KILL "-$group" && echo "${folder##*/}" ;;
    esac
  done
done
