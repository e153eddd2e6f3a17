# Sourced by tests/run.sh and examples/demo.sh. lacking_rights prints one sentence for each right or device that root may
# still lack, in a container for instance; nothing where all is there.
lacking_rights() {
  unshare -n true 2>/dev/null ||
    echo 'network namespaces cannot be made here (unshare -n fails): run where CAP_SYS_ADMIN is allowed'
  unshare -m --propagation unchanged true 2>/dev/null ||
    echo 'mount namespaces cannot be made here (unshare -m fails): run where CAP_SYS_ADMIN is allowed'
  # Opening it proves little; only a tap in a namespace of its own proves that taps can be made.
  if [[ ! -c /dev/net/tun ]]; then
    echo '/dev/net/tun is missing: load the module tun, or give the container that device'
  elif ! unshare -n ip tuntap add mode tap name nutshell-try 2>/dev/null; then
    echo '/dev/net/tun makes no tap: it cannot be opened, or CAP_NET_ADMIN is missing'
  fi
}
