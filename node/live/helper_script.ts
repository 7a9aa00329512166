/**
 * The node's helper: one long-lived POSIX shell that reads what Deno refuses to programs without
 * all permissions (`/proc`, the file system outside the state folder). It uses builtins wherever
 * they do; each request is a line of fields split by tabs, and so is each answer.
 *
 *   sample            cpu ticks of each kind; RAM in kB: total, available
 *   host              the machine's name
 *   boot              what names this start of the machine; nothing where nobody can tell
 *   pid               the helper's own
 *   tools             absolute paths of flock or perl, env, setpriv, setsid; own uid
 *   find PATH NAME    ok|missing|folder|not-executable|no-interpreter, path, first bytes, interpreter
 *   user NAME HOME    uid, gid; HOME is given to it
 *   owner PID GROUP PORT ADDRESS   own | other PID NAME | none | unknown
 *   strays REPLICA    pids of processes whose environment names this replica
 *   launchers FOLDER  process groups of launchers of replicas in this folder, each with the replica
 *   family REPLICA    of each of these processes: pid, parent, group
 *   groups            of each process: its group, cpu ticks (with ended children), resident pages
 *   clock             cpu ticks a second, bytes a page
 *   shared GROUP      resident kB of a process group, shared pages by share; 0 where unknown
 *   cgroup NAME MOUNT a folder NAME of the node's own in the cgroup v2 tree, or none and why not;
 *                     MOUNT is the tree, where it is not the machine's
 *   limit DIR RAM CPU makes a cgroup with bytes of memory and µs of CPU in each 100 ms, - for
 *                     no limit; ok or an error
 *   limited DIR       ok if there is such a cgroup
 *   unlimit DIR       ends what is left in a cgroup and removes it: how many were out of memory, and
 *                     ok, or busy while there is still something in it
 *   tidy DIR NAMES    removes the cgroups in DIR that nobody is in, but for NAMES
 *   punch PATH BYTES  gives the blocks of a file's beginning back to the disk; ok, or failed where its
 *                     file system cannot
 *   folder PATH       makes it; ok or an error
 *   own UID PATH      gives it to an account; ok
 *   space PATH        kB free for this account on its file system
 */
export const HELPER = String.raw`
tab=$(printf '\t')
newline='
'
blanks=$IFS
zero=
linux=; [ -r /proc/net/tcp ] && linux=1
LC_ALL=C; export LC_ALL

sample() {
  if [ $linux ]; then
    read -r name ticks </proc/stat
    total=0 available=0
    while read -r key value unit; do
      case $key in
      MemTotal:) total=$value ;;
      MemAvailable:) available=$value; break ;;
      esac
    done </proc/meminfo
    echo "$ticks$tab$total$tab$available"
  else
    bytes=$(sysctl -n hw.memsize 2>/dev/null || echo 0)
    pages=$(vm_stat 2>/dev/null | awk '/page size/ {s=$8} /free|inactive|speculative/ {n+=$NF} END {print int(n*s/1024)}')
    busy=$(ps -A -o %cpu= 2>/dev/null | awk '{n+=$1} END {print int(n*100)}')
    echo "percent $busy$tab$((bytes / 1024))$tab$pages"
  fi
}

boot() {
  id=
  if [ $linux ]; then read -r id </proc/sys/kernel/random/boot_id
  else id=$(sysctl -n kern.bootsessionuuid); fi 2>/dev/null
  echo "$id"
}

found() { echo "$1$tab$2$tab$3$tab$4"; }

look() {
  file=$1
  if [ ! -e "$file" ]; then found missing "$file"
  elif [ -d "$file" ]; then found folder "$file"
  elif [ ! -x "$file" ]; then found not-executable "$file"
  else
    set -f; set -- $(od -An -v -tx1 -N20 <"$file" 2>/dev/null); set +f
    IFS=; head=$*; IFS=$blanks
    case $head in
    2321*)
      read -r first <"$file"
      first=$(printf '%s' "$first" | tr -d '\r')
      set -f; set -- $(printf '%s' "$first" | cut -c3-); set +f
      if [ -x "$1" ]; then found ok "$file" "$head"
      else found no-interpreter "$file" "$head" "$1"; fi ;;
    *) found ok "$file" "$head" ;;
    esac
  fi
}

find_program() {
  case $2 in
  /*) look "$2"; return ;;
  */*) found missing "$2"; return ;;
  esac
  other=
  rest=$1:
  while [ "$rest" ]; do
    folder=${"${rest%%:*}"}
    rest=${"${rest#*:}"}
    [ "$folder" ] || continue
    if [ -f "$folder/$2" ]; then
      if [ -x "$folder/$2" ]; then look "$folder/$2"; return; fi
      other=$folder/$2
    fi
  done
  if [ "$other" ]; then look "$other"; else found missing "$2"; fi
}

tools() {
  locker=$(command -v flock || command -v perl)
  echo "$locker$tab$(command -v env)$tab$(command -v setpriv)$tab$(command -v setsid)$tab$(id -u)"
}

user() {
  uid=$(id -u "$1" 2>/dev/null) || { echo none; return; }
  gid=$(id -g "$1")
  chown "$uid:$gid" "$2" 2>/dev/null
  echo "$uid$tab$gid"
}

# The inode of the socket that a connection to this port and address reaches. Listening sockets come
# first in these tables; the rest may be long, and the kernel slow to walk it: it is read no further
# than it must be.
listening() {
  exact= wild=
  for table in /proc/net/tcp /proc/net/tcp6; do
    [ "$exact$wild" ] || [ ! -r $table ] && continue
    while read -r slot local remote state queues timer retries owner timeout inode rest; do
      case $state:$local in
      st:*) ;;
      0A:$2:$1) exact=$inode; break ;;
      0A:00000000:$1 | 0A:00000000000000000000000000000000:$1) wild=$inode ;;
      0A:*:$1) [ "$2" ] || wild=$inode ;;
      0A:*) ;;
      *) break ;;
      esac
    done <$table
  done
  inode=${"${exact:-$wild}"}
}

holds() {
  case $(ls -l "/proc/$1/fd" 2>/dev/null) in
  *"socket:[$2]"*) return 0 ;;
  esac
  return 1
}

# pid, cpu ticks and resident pages of every process, with its group before. The ticks of children
# that ended are with their parent's, so that a group's sum does not fall when one ends.
processes() {
  cat /proc/[0-9]*/stat 2>/dev/null |
    awk '{pid = $1; sub(/^.*\) /, ""); print $3, pid, $12 + $13 + $14 + $15, $22}'
}

shared() {
  for pid in $(processes | awk -v group="$1" '$1 == group {print $2}'); do
    cat "/proc/$pid/smaps_rollup"
  done 2>/dev/null | awk '$1 == "Pss:" {n += $2} END {print n + 0}'
}

# Limits: cgroup v2.

have() {
  read -r all 2>/dev/null <"$1" || return 1
  case " $all " in *" $2 "*) return 0 ;; esac
  return 1
}

# Gives memory and CPU to what is below a cgroup. One that is not the root must hold no process of
# its own for that: the node and this helper move into a leaf, nobody else is moved.
give() {
  have "$1/cgroup.controllers" memory || return 1
  have "$1/cgroup.controllers" cpu || return 1
  if have "$1/cgroup.subtree_control" memory && have "$1/cgroup.subtree_control" cpu; then
    [ -w "$1/cgroup.procs" ]
    return
  fi
  echo "+memory +cpu" 2>/dev/null >"$1/cgroup.subtree_control" && return 0
  [ "$2" = own ] || return 1
  mkdir -p "$1/skr8tr-daemon" 2>/dev/null || return 1
  for pid in $PPID $$; do echo "$pid" >"$1/skr8tr-daemon/cgroup.procs"; done 2>/dev/null
  echo "+memory +cpu" 2>/dev/null >"$1/cgroup.subtree_control"
}

cgroup() {
  mount=$2
  if [ ! "$mount" ] && [ $linux ]; then
    while read -r device point type rest; do
      if [ "$type" = cgroup2 ]; then mount=$point; break; fi
    done </proc/self/mounts
  fi
  if [ ! "$mount" ]; then echo "none${"${tab}"}no cgroup v2 tree is mounted"; return; fi
  if ! have "$mount/cgroup.controllers" memory; then
    echo "none${"${tab}"}$mount has no memory controller"
    return
  fi
  own=
  while IFS=: read -r tree names path; do [ "$tree" = 0 ] && own=$path; done </proc/self/cgroup
  kind=
  for base in "$mount" "$mount${"${own%/*}"}" "$mount$own"; do
    [ "$base" = "$mount$own" ] && kind=own
    [ -d "$base" ] && [ -w "$base" ] && give "$base" $kind || continue
    mkdir -p "$base/skr8tr" 2>/dev/null && give "$base/skr8tr" &&
      mkdir -p "$base/skr8tr/$1" 2>/dev/null && give "$base/skr8tr/$1" || continue
    echo "ok$tab$base/skr8tr/$1"
    return
  done
  echo "none${"${tab}"}$mount gives no memory and CPU controllers to this account"
}

limit() {
  mkdir -p "$1" 2>/dev/null || { echo failed; return; }
  if [ "$2" != - ]; then
    echo "$2" 2>/dev/null >"$1/memory.max" || { echo failed; return; }
    [ -e "$1/memory.swap.max" ] && echo 0 >"$1/memory.swap.max"
    echo 1 >"$1/memory.oom.group"
  fi 2>/dev/null
  if [ "$3" != - ]; then echo "$3 100000" 2>/dev/null >"$1/cpu.max" || { echo failed; return; }; fi
  echo ok
}

tidy() {
  for folder in "$1"/*/; do
    folder=${"${folder%/}"}
    case " $2 " in *" ${"${folder##*/}"} "*) ;; *) rmdir "$folder" 2>/dev/null ;; esac
  done
  echo ok
}

unlimit() {
  killed=0
  if [ -r "$1/memory.events" ]; then
    while read -r key value; do [ "$key" = oom_kill ] && killed=$value; done <"$1/memory.events"
  fi
  [ -w "$1/cgroup.kill" ] && echo 1 2>/dev/null >"$1/cgroup.kill"
  if [ ! -d "$1" ] || rmdir "$1" 2>/dev/null; then echo "$killed${"${tab}"}ok"
  else echo "$killed${"${tab}"}busy"; fi
}

owner() {
  if [ ! $linux ]; then owner_lsof "$2" "$3"; return; fi
  listening "$3" "$4"
  if [ ! "$inode" ]; then echo none; return; fi
  if holds "$1" "$inode"; then echo own; return; fi
  unseen=
  for pid in $(processes | awk -v group="$2" '$1 == group {print $2}'); do
    [ -r "/proc/$pid/fd" ] || unseen=1
    if holds "$pid" "$inode"; then echo own; return; fi
  done
  if [ $unseen ]; then echo unknown; return; fi
  for folder in /proc/[0-9]*; do
    pid=${"${folder#/proc/}"}
    if holds "$pid" "$inode"; then
      read -r name <"/proc/$pid/comm"
      echo "other$tab$pid$tab$name"
      return
    fi
  done
  echo other
}

owner_lsof() {
  port=$(printf '%d' "0x$2")
  seen=$(lsof -nP -iTCP:"$port" -sTCP:LISTEN -Fpgc 2>/dev/null) || { echo unknown; return; }
  case $seen in
  *"g$1"*) echo own ;;
  *p*) set -- $seen; echo "other$tab${"${1#p}"}$tab${"${3#c}"}" ;;
  *) echo none ;;
  esac
}

strays() {
  pids=
  # One process for all of /proc, where grep knows lines that end with a zero.
  [ "$zero" ] || { printf 'a\0b' | grep -q -z -x -F b 2>/dev/null && zero=yes || zero=no; }
  if [ $linux ] && [ $zero = yes ]; then
    for file in $(grep -l -z -x -F -e "REPLICA_ID=$1" /proc/[0-9]*/environ 2>/dev/null); do
      file=${"${file#/proc/}"}
      pids="$pids ${"${file%/environ}"}"
    done
  elif [ $linux ]; then
    for folder in /proc/[0-9]*; do
      if tr '\0' '\n' <"$folder/environ" 2>/dev/null | grep -qx "REPLICA_ID=$1"; then
        pids="$pids ${"${folder#/proc/}"}"
      fi
    done 2>/dev/null
  else
    pids=$(ps -A -E -o pid=,command= 2>/dev/null | awk -v want="REPLICA_ID=$1" 'index($0, want) {printf " %s", $1}')
  fi
  echo "$pids"
}

launchers() {
  mark=$newline'skr8tr-launcher'$newline$1/
  for file in $(grep -a -l -F -e "$1/" /proc/[0-9]*/cmdline 2>/dev/null); do
    words=$newline$(tr '\0' '\n' <"$file" 2>/dev/null)$newline
    case $words in
    *"$mark"*)
      pid=${"${file#/proc/}"}
      replica=${'${words##*"$mark"}'}
      printf '%s:%s ' "${"${pid%/cmdline}"}" "${'${replica%%"$newline"*}'}" ;;
    esac
  done
  echo
}

family() {
  for pid in $(strays "$1"); do
    if [ $linux ]; then
      { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || continue
      set -- ${"${stat##*) }"}
      printf '%s:%s:%s ' "$pid" "$2" "$3"
    else
      set -- $(ps -o ppid= -o pgid= -p "$pid")
      printf '%s:%s:%s ' "$pid" "$1" "$2"
    fi
  done
  echo
}

groups() {
  if [ $linux ]; then processes | awk '{printf "%s:%s:%s ", $1, $3, $4} END {print ""}'
  else ps -A -o pgid=,rss= | awk '{printf "%s:0:%d ", $1, $2 / 4} END {print ""}'; fi
}

while IFS=$tab read -r number verb a b c d; do
  printf '%s\t' "$number"
  case $verb in
  sample) sample ;;
  host) uname -n ;;
  boot) boot ;;
  pid) echo $$ ;;
  tools) tools ;;
  find) find_program "$a" "$b" ;;
  user) user "$a" "$b" ;;
  owner) owner "$a" "$b" "$c" "$d" ;;
  strays) strays "$a" ;;
  launchers) launchers "$a" ;;
  family) family "$a" ;;
  groups) groups ;;
  own) chown "$a:$a" "$b" 2>/dev/null; echo ok ;;
  # Of a file system that is no disk (rootfs), or none, there is no such line.
  space) df -Pk "$a" 2>/dev/null | awk 'NR == 2 {kb = $4} END {print kb}' ;;
  clock) echo "$(getconf CLK_TCK 2>/dev/null || echo 100)$tab$(getconf PAGESIZE 2>/dev/null || echo 4096)" ;;
  shared) shared "$a" ;;
  cgroup) cgroup "$a" "$b" ;;
  limit) limit "$a" "$b" "$c" ;;
  limited) if [ -d "$a" ]; then echo ok; else echo none; fi ;;
  unlimit) unlimit "$a" ;;
  tidy) tidy "$a" "$b" ;;
  punch) if fallocate -p -o 0 -l "$b" "$a" 2>/dev/null; then echo ok; else echo failed; fi ;;
  folder) if mkdir -p "$a" 2>/dev/null; then echo ok; else echo failed; fi ;;
  *) echo unknown ;;
  esac
done
`;
