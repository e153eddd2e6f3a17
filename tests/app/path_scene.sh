# Scenes in which packets do not arrive: a namespace stands for the outside, a guest runs, and what path and doctor print is run.
# Source it after foreign.sh and lib.sh.
foreign_tools
far=nutshell-far-${scratch##*.}
ip netns add "$far"
outside() { ip netns exec "$far" "$@"; }
servers=()
trap 'kill "${servers[@]}" 2>/dev/null; ip netns del "$far"; foreign_away; cleanup' EXIT
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
outside ip link set lo up
outside sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0

# serve COMMAND...: outside, until the test ends.
serve() { ip netns exec "$far" "$@" >/dev/null 2>&1 & servers+=("$!"); }

nobody() { ! "$@"; }
broken() { json path na "$@" | jq -r '.paths[0].broken'; }   # broken [--to ADDRESS]
whole() { [[ $(broken "$@") == null ]]; }
names() { [[ $(broken "${@:2}" | jq -r '.device + ": " + .why') =~ $1 ]]; } # names PATTERN [--to ADDRESS]
in_doctor() { nutshell --json doctor 2>/dev/null | jq -r --arg name "$1" '[.checks[] | select(.name == $name) | .cure] | unique | join("\n")'; }

# scene WHAT DEVICE PATTERN TRAFFIC [DOCTOR]: TRAFFIC fails, path names DEVICE and says PATTERN, as does the check DOCTOR of
# doctor; the printed line, run, cures it. Further arguments of path are in $to.
to=()
scene() {
  local what=$1 device=$2 pattern=$3 traffic=$4 doctor=${5:-} found cure said
  say "-- $what"
  check "nothing arrives" nobody $traffic
  # What it goes by, neighbours above all, comes to it as packets do: on a busy host late.
  named() { found=$(broken "${to[@]}"); equal "$(jq -r .device <<<"$found")" "$device" >/dev/null; }
  check "path names the device: $device" until_true 30 named
  check "and the cause" matches "$(jq -r .why <<<"$found")" "$pattern"
  check "as text, too" matches "$(nutshell path na "${to[@]}")" "broken at $device: .*"
  cure=$(jq -r .cure <<<"$found")
  [[ -z $doctor ]] || check "doctor prints the same cure" equal "$(in_doctor "$doctor")" "$cure"
  said=$(bash -c "$cure" 2>&1)
  check "its cure can be run: $cure" test $? -eq 0
  [[ -z $said ]] || say "$said"
  check "something arrives" until_true 30 $traffic
  check "path finds nothing" until_true 30 whole "${to[@]}"
  [[ -z $doctor ]] || check "nor does doctor" equal "$(in_doctor "$doctor")" ''
}
