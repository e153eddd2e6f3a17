#!/usr/bin/env bash
# rate= holds each way: what a guest sends and what it is sent, in bytes that arrived in a time.
. "$(dirname "$0")/lib.sh"

boot() { local name=$1; shift; quick "$name" --vnc off "$@" --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 90 >/dev/null; }
# sent NAME: how many bytes the guest gets out in four seconds; got NAME: how many it is sent.
sent() {
  : >"$scratch/in"
  timeout 60 socat -u TCP4-LISTEN:7070,reuseaddr "OPEN:$scratch/in" &
  local listener=$!
  sleep 0.5
  guest "$1" "cat /dev/zero | timeout 4 nc -w 4 $gateway 7070" >/dev/null
  wait "$listener"
  stat -c %s "$scratch/in"
}
got() { guest "$1" "timeout 4 nc -w 4 $gateway 7071 </dev/null | wc -c" | grep -oE '^[0-9]+$' | tail -n 1; }
# exceeds BYTES sent|got NAME: more than that arrives, in one of three tries.
exceeds() { local bytes; for _ in 1 2 3; do bytes=$("$2" "$3"); say "  $2 $3: $bytes bytes"; ((bytes > $1)) && return; done; return 1; }
socat TCP4-LISTEN:7071,fork,reuseaddr SYSTEM:'timeout 4 cat /dev/zero' 2>/dev/null &
servers=("$!")
trap 'kill "${servers[@]}" 2>/dev/null; cleanup' EXIT

check "a guest that is limited" boot slow --nic network=nutshell0,rate=1M
check "one that is not" boot fast
gateway=$(ip_of slow)
gateway=${gateway%.*}.1
# A million bits a second, four seconds (on a busy host some more), and a burst of 128 KiB: well below a million bytes.
# What is not held is bounded by this host alone, which may be busy: so it is seen beside the other, and tried again.
most=1400000 slow_out=$(sent slow) slow_in=$(got slow)
check "what it sends is held ($slow_out bytes)" test "$slow_out" -lt "$most" -a "$slow_out" -gt 20000
check "what it is sent, too ($slow_in bytes)" test "$slow_in" -lt "$most" -a "$slow_in" -gt 20000
check "the other's is not" exceeds 2500000 sent fast
check "nor what that is sent" exceeds 2500000 got fast
check "the chain is there" matches "$(nft list table bridge nutshell)" 'limit rate over 125000 bytes/second'
for name in slow fast; do n rm "$name" --force; done
check "and gone with the machine" equal "$(nft list tables)" ''
finish
