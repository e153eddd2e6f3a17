#!/usr/bin/env bash
# The life of a machine: launched from an ISO on the managed network, reached, stopped, started, changed, removed; nothing is left.
. "$(dirname "$0")/lib.sh"

before=$(traces)
check "launch from an ISO until it has its address" n launch demo --memory 256M --cdrom "$guest/demo.iso" --disk 1G --wait serial='nutshell-guest: eth0 [0-9.]+/' --timeout 120
ip=$(ip_of demo)
check "it answers on the address that was leased" ping -c 1 -W 5 "$ip"
check "the guest was given that very address" grep -q "eth0 $ip/24" "$root"/log/*/1.serial
check "ls says running" equal "$(state_of demo)" running
check "stop powers it off" n stop demo --timeout 60
check "it says how it ended" matches "$(json show demo | jq -r .last_end)" 'stopped: the guest powered off'
check "no tap, bridge or dnsmasq is left" equal "$(traces | grep -Ec '^(link|process)')" 1
check "start again" n start demo --wait serial='nutshell-guest: eth0 [0-9.]+/'
check "the address is the same" equal "$(ip_of demo)" "$ip"
check "kill" n kill demo
check "its end is no crash" matches "$(json show demo | jq -r .last_end)" '^stopped: killed'
check "rm" n rm demo
check "nothing is left" equal "$(traces)" "$before"
finish
