#!/usr/bin/env bash
# rate= holds each way: what a guest sends and what it is sent, in bytes that arrived in a time.
. "$(dirname "$0")/lib.sh"

boot() { local name=$1; shift; quick "$name" --vnc off "$@" --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 90 >/dev/null; }
# sent NAME: how many bytes the guest gets out in four seconds; got NAME: how many it is sent.
sent() {
  : >"$scratch/in"
  timeout 6 socat -u TCP4-LISTEN:7070,reuseaddr "OPEN:$scratch/in" &
  local listener=$!
  sleep 0.5
  guest "$1" "timeout 4 sh -c 'cat /dev/zero | nc -w 4 $gateway 7070'" >/dev/null
  wait "$listener"
  stat -c %s "$scratch/in"
}
got() { guest "$1" "timeout 4 nc -w 4 $gateway 7071 </dev/null | wc -c" | grep -oE '^[0-9]+$' | tail -n 1; }
socat TCP4-LISTEN:7071,fork,reuseaddr SYSTEM:'timeout 4 cat /dev/zero' 2>/dev/null &
servers=("$!")
trap 'kill "${servers[@]}" 2>/dev/null; cleanup' EXIT

check "a guest that is limited" boot slow --nic network=nutshell0,rate=2M
check "one that is not" boot fast
gateway=$(ip_of slow)
gateway=${gateway%.*}.1
# Two million bits a second, four seconds (on a busy host some more), and a burst of 128 KiB: a little over a million bytes.
# What is not held is bounded by this host alone, which may be busy: so it is seen beside the other.
most=2500000 slow_out=$(sent slow) slow_in=$(got slow) fast_out=$(sent fast) fast_in=$(got fast)
check "what it sends is held ($slow_out bytes)" test "$slow_out" -lt "$most" -a "$slow_out" -gt 20000
check "what it is sent, too ($slow_in bytes)" test "$slow_in" -lt "$most" -a "$slow_in" -gt 20000
check "the other's is not ($fast_out bytes)" test "$fast_out" -gt "$most" -a "$fast_out" -gt "$((slow_out * 2))"
check "nor what that is sent ($fast_in bytes)" test "$fast_in" -gt "$most" -a "$fast_in" -gt "$((slow_in * 2))"
check "the chain is there" matches "$(nft list table bridge nutshell)" 'limit rate over 250000 bytes/second'
for name in slow fast; do n rm "$name" --force; done
check "and gone with the machine" equal "$(nft list tables)" ''
finish
