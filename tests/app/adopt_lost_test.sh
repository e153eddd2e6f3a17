#!/usr/bin/env bash
# Adoptions that lose something under way: the uplink (removed, renamed, down), the bridge, its dead-man's life, the files of
# --persist. What cannot be put back is named and kept, and nothing that is not so is said to be so.
. "$(dirname "$0")/lib.sh"
. "$here/uplink.sh"
trap 'end_dead_men; umount "$folder" 2>/dev/null; drop_uplink; cleanup' EXIT

note=$root/state/adoptions/br9.json
left() { jq -r '.left | length' "$note"; }
addresses() { ip -j addr show "$1" 2>/dev/null | jq -r '[.[].addr_info[]? | select(.scope == "global") | .local] | sort | join(" ")'; }
both="10.9.0.2 2001:db8:9::2"
adopt() { n bridge adopt br9 --uplink em1 "$@"; }
ended() { kill -9 "$(dead_man br9)"; until_true 30 no_dead_man; }
fresh() { drop_uplink; ip link del "${1:-em1}" 2>/dev/null; make_uplink; }
make_uplink
check "IPv6 is ready" until_true 30 ip_is_ready
view >"$scratch/before"

say "-- the uplink vanishes while the adoption waits"
check "adopt" adopt --timeout 5
ip link del em1
check "the time is over" until_true 30 is_restored br9
check "and the dead-man's attempts" until_true 30 no_dead_man
check "what is missing is in the note" matches "$(jq -r '.left[]' "$note" | xargs)" 'em1 is not there.*10\.9\.0\.2/24.*route default via 10\.9\.0\.1'
check "ls names it" matches "$(n bridge ls 2>&1; nutshell bridge ls 2>&1)" 'not everything could be: the link em1 is not there'
refuse 5 'em1 is not there.*tries again' nutshell bridge release br9
check "the note is kept" test -e "$note"
ip link del em2 2>/dev/null
ip link add em1 type veth peer name far1 netns "$peer"
ip -n "$peer" link set far1 up && ip -n "$peer" addr add 10.9.0.1/24 dev far1
check "release, when it is back" n bridge release br9
check "gives it its addresses" equal "$(addresses em1)" "$both"
check "and the way out" matches "$(ip route show default)" 'via 10\.9\.0\.1 dev em1'
check "the note is gone" test ! -e "$note"
fresh
check "adopt" adopt
ended
ip link del em1
check "the next command says what is missing" matches "$(nutshell ls 2>&1)" 'could not be put back: the link em1 is not there'
refuse 5 'em1 is not there' nutshell bridge release br9
check "release --force forgets it" matches "$(nutshell bridge release br9 --force 2>&1)" 'forgotten: .*10\.9\.0\.2/24'
check "the note is gone" test ! -e "$note"
fresh

say "-- it is renamed, or down"
check "adopt" adopt --timeout 5
ip link set em1 down; ip link set em1 name lan0
check "the time is over" until_true 30 is_restored br9
check "nothing is left to do" equal "$(left)" 0
check "it has its addresses under its new name" equal "$(addresses lan0)" "$both"
check "and its routes" matches "$(ip route show default)$(ip -6 route show default)" 'via 10\.9\.0\.1 dev lan0.*via 2001:db8:9::1 dev lan0'
check "release" n bridge release br9
fresh lan0
check "adopt" adopt
check "confirm" n bridge confirm br9
ip link set em1 down; ip link set em1 name lan0; ip link set lan0 up
check "doctor is content" equal "$(json doctor | jq -r '[.checks[] | select(.name == "bridge br9")] | length')" 0
check "release of what was renamed later" n bridge release br9
check "all is there" equal "$(addresses lan0)" "$both"
fresh lan0
until_true 30 ip_is_ready
view >"$scratch/before"
check "adopt" adopt
ip link set em1 down
ended
check "put back by the next command" matches "$(nutshell ls 2>&1)" 'everything was put back'
check "up again, with all" equal "$(addresses em1) $(ip route show default | wc -l) $(ip -6 route show default | wc -l)" "$both 1 1"
check "release" n bridge release br9

say "-- nothing to confirm"
for loss in 'ip link del br9' 'ip link set em1 nomaster' 'ip addr del 10.9.0.2/24 dev br9' 'ip -6 addr del 2001:db8:9::2/64 dev br9' 'ip link set em1 down'; do
  fresh
  check "adopt" adopt
  $loss
  refuse 4 'so there is nothing to confirm; what em1 had is put back' nutshell bridge confirm br9
  check "$loss: it goes on waiting" equal "$(note_state br9)" waiting
  check "$loss: its dead-man is on duty" test "$(cat "/proc/$(dead_man br9)/comm")" = nutshell-dead
  check "release" n bridge release br9
  check "$loss: the addresses are there again" equal "$(addresses em1)" "$both"
done

say "-- an uplink that died after the confirm"
fresh
check "adopt" adopt
check "confirm" n bridge confirm br9
ip link del em1
check "doctor tells what cures it" matches "$(n doctor)" 'its uplink em1 is not there; bring it back and run .nutshell bridge repair br9., or .*release br9'
refuse 5 'its uplink em1 is not there' nutshell bridge repair br9
check "repair claims nothing" bash -c '! nutshell_said=$("$@" 2>&1) && ! grep -q "has every port" <<<"$nutshell_said"' _ "$nutshell_bin" --root "$root" bridge repair br9
check "release says what became of it" matches "$(nutshell bridge release br9 2>&1)" 'em1 is not there any more, and its addresses are gone with it: 10\.9\.0\.2/24, 2001:db8:9::2/64, and the bridge br9 is gone'
check "the bridge is gone" bash -c '! ip link show br9 2>/dev/null'
check "so is the note" test ! -e "$note"
check "doctor is content" equal "$(json doctor | jq -r '[.checks[] | select(.name == "bridge br9")] | length')" 0

say "-- somebody else's bridge has the uplink"
fresh
check "adopt" adopt
check "confirm" n bridge confirm br9
ip link add his type bridge
ip link set em1 master his
refuse 4 'em1 is a port of his now, which is not nutshell.s' nutshell bridge repair br9
refuse 4 'em1 is a port of his now' nutshell bridge release br9
check "it stays there" equal "$(ip -j link show em1 | jq -r '.[0].master')" his
ip link del his
check "then repair" n bridge repair br9
check "release" n bridge release br9
check "all is there" equal "$(addresses em1)" "$both"

say "-- addresses that it answers for in others' places"
ip neigh add proxy 10.9.0.200 dev em1
ip -6 neigh add proxy 2001:db8:9::200 dev em1
proxies() { { ip neigh show proxy; ip -6 neigh show proxy; } | awk '{print $1, $3}' | sort -u | xargs; }
check "adopt" adopt
check "they move" equal "$(proxies)" "10.9.0.200 br9 2001:db8:9::200 br9"
check "confirm" n bridge confirm br9
check "release" n bridge release br9
check "and come back" equal "$(proxies)" "10.9.0.200 em1 2001:db8:9::200 em1"
check "adopt" adopt --timeout 5
check "put back" until_true 30 is_restored br9
check "they, too" equal "$(proxies)" "10.9.0.200 em1 2001:db8:9::200 em1"
check "release" n bridge release br9

say "-- another name of the uplink"
ip link property add dev em1 altname enp0s1
check "adopt" n bridge adopt br9 --uplink enp0s1
check "it is em1" equal "$(jq -r .before.uplink "$note")" em1
check "release" n bridge release br9
check "all is there" equal "$(addresses em1)" "$both"

say "-- a dead-man who stands still"
check "adopt" adopt --timeout 5
kill -STOP "$(dead_man br9)"
sleep 9
check "the next command puts everything back" matches "$(nutshell ls 2>&1)" 'everything was put back'
check "he is gone" until_true 30 no_dead_man
check "all is there" equal "$(addresses em1)" "$both"
check "release" n bridge release br9

say "-- files of --persist that cannot be removed"
drop_uplink # its name is in /run
for folder in /etc/systemd /run; do mkdir -p $folder && mount -t tmpfs none $folder; done
folder=/etc/systemd/network
mkdir -p $folder /run/netns /run/systemd/netif && touch /run/systemd/netif/state
make_uplink
check "adopt" adopt --persist
check "confirm" n bridge confirm br9
mount --bind $folder $folder && mount -o remount,bind,ro $folder
refuse 5 "not everything could be given back: file $folder/05-nutshell-br9.*tries again" nutshell bridge release br9
check "the uplink has its addresses" equal "$(addresses em1)" "$both"
check "later commands say nothing else" bash -c '! "$@" 2>&1 | grep -q "dead-man"' _ "$nutshell_bin" --root "$root" ls
umount $folder
check "release does the rest" n bridge release br9
check "no file is left" equal "$(ls $folder)" ""
check "adopt" adopt --persist
check "confirm" n bridge confirm br9
sed -i '1s/.*/# mine now/' $folder/05-nutshell-br9.network
refuse 5 "05-nutshell-br9.network: does not begin with nutshell" nutshell bridge release br9
check "the uplink has its addresses" equal "$(addresses em1)" "$both"
check "only that is left" equal "$(ls $folder)" 05-nutshell-br9.network
rm $folder/*
check "release" n bridge release br9
check "create" n bridge create br5 --persist
mount --bind $folder $folder && mount -o remount,bind,ro $folder
refuse 5 "br5 is removed, but it comes back.*file $folder/05-nutshell-br5" nutshell bridge rm br5
umount $folder
check "rm does the rest" n bridge rm br5
check "no file is left" equal "$(ls $folder)" ""
finish
