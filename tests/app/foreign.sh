# Firewalls of others, as they are on real hosts: iptables (both kinds), ufw, firewalld and Docker's chains, in this test's own namespaces.
# Source it before lib.sh (which leaves the network). Debian's packages are downloaded once and unpacked beside the guests, never
# installed: foreign_tools lays them over /usr and /etc in the test's mount namespace alone.
foreign=${NUTSHELL_FOREIGN_DIR:-${NUTSHELL_GUEST_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/guest}/foreign}

foreign_unpack() { # foreign_unpack PACKAGE...
  mkdir -p "$foreign"
  (
    flock 9
    for package in "$@"; do
      [[ ! -e $foreign/stamp/$package ]] || continue
      mkdir -p "$foreign/stamp" "$foreign/cache" "$foreign/root"
      (cd "$foreign/cache" && apt-get -qq -o APT::Sandbox::User=root download "$package" >/dev/null) || exit 1
      dpkg-deb --fsys-tarfile "$(ls -t "$foreign/cache/$package"_*.deb | head -1)" | tar -x -C "$foreign/root" || exit 1
      touch "$foreign/stamp/$package"
    done
    # As on a host whose /lib is /usr/lib.
    [[ ! -d $foreign/root/lib ]] || { cp -a "$foreign/root/lib/." "$foreign/root/usr/lib/" && rm -rf "$foreign/root/lib"; }
  ) 9>"$foreign/lock"
}
if [[ -z ${NUTSHELL_TEST_NS:-} ]]; then
  foreign_unpack iptables libip4tc2 libip6tc2 libxtables12 libnftnl11 libmnl0 libnetfilter-conntrack3 libnfnetlink0 ufw firewalld python3-firewall python3-nftables ||
    { echo 'FAIL: the packages of other firewalls cannot be had'; exit 1; }
fi

foreign_tools() { # iptables, iptables-legacy, ufw, firewalld
  mkdir -p "$scratch/over"
  mount -t tmpfs none "$scratch/over"
  mkdir -p "$scratch"/over/{usr,usr.work,etc,etc.work}
  mount -t overlay overlay -o "lowerdir=$foreign/root/usr:/usr,upperdir=$scratch/over/usr,workdir=$scratch/over/usr.work" /usr
  mount -t overlay overlay -o "lowerdir=$foreign/root/etc:/etc,upperdir=$scratch/over/etc,workdir=$scratch/over/etc.work" /etc
  local program
  for program in iptables ip6tables iptables-restore ip6tables-restore iptables-save ip6tables-save; do
    ln -sf xtables-nft-multi "/usr/sbin/$program"
  done
  mkdir -p /etc/ufw
  cp /usr/share/ufw/iptables/*.rules /usr/share/ufw/{ufw.conf,before.init,after.init} /etc/ufw/
}

foreign_away() {
  firewalld_ends
  umount -l /usr /etc "$scratch/over" 2>/dev/null
}

# firewalld itself, on a system bus of its own, without the polkit that a host may have: root needs none.
foreign_daemons=()
firewalld_starts() {
  mkdir -p /run/dbus
  mount -t tmpfs none /run/dbus
  # Debian leaves which of its two policies counts to update-alternatives.
  mkdir -p /usr/share/polkit-1/actions
  rm -f /usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service
  ln -sf org.fedoraproject.FirewallD1.server.policy.choice /usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.policy
  dbus-daemon --system --nofork --nopidfile --address=unix:path=/run/dbus/system_bus_socket >/dev/null 2>&1 &
  foreign_daemons+=("$!")
  until_true 30 test -S /run/dbus/system_bus_socket
  firewalld --nofork --nopid >/dev/null 2>&1 &
  foreign_daemons+=("$!")
  until_true 30 firewall-cmd --state >/dev/null 2>&1
}
firewalld_ends() { # newest first: it takes its rules away while it has its bus
  local i
  for ((i = ${#foreign_daemons[@]} - 1; i >= 0; i--)); do
    kill "${foreign_daemons[i]}" 2>/dev/null && wait "${foreign_daemons[i]}" 2>/dev/null
  done
  foreign_daemons=()
  umount -l /run/dbus 2>/dev/null
}

# What a Docker daemon (27 and later) sets up, by hand: with iptables, or iptables-legacy.
docker_rules() { # docker_rules PROGRAM
  "$1" -P FORWARD DROP
  "$1" -N DOCKER-USER
  "$1" -N DOCKER-FORWARD
  "$1" -N DOCKER-CT
  "$1" -A FORWARD -j DOCKER-USER
  "$1" -A FORWARD -j DOCKER-FORWARD
  "$1" -A DOCKER-FORWARD -j DOCKER-CT
  "$1" -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  "$1" -A DOCKER-FORWARD -i docker0 -j ACCEPT
}
docker_rules_off() {
  "$1" -P FORWARD ACCEPT
  "$1" -F
  "$1" -X
}
