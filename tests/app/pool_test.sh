#!/usr/bin/env bash
# Pools: the map of who owns what, ranges kept out of use by hand, and nutshell.toml edited by `pool add` and `pool rm` without
# a byte of the rest changed.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
config=$scratch/nutshell.toml
with=(n --config "$config")
map() { "${with[@]}" --json pool ls | jq -r --arg pool "$1" '.pools[] | select(.name == $pool).map[] | "\(.first)-\(.last) \(.kind) \(.owner)"'; }
quiet() { "$@" >/dev/null; }
says() { local pattern=$1; shift; "$@" 2>&1 | grep -Eq -- "$pattern"; }

say '-- a file is edited, and the rest of it stays as it is'
printf '# the lab\nmemory = "2G"   # each\n\n[[pool]]\nname = "vnc"\nrange = "0-9"\n# of the door\n\n# types\n[[type]]\nname = "tiny"\ncpus = 1\nmemory = "64M"\ndisk = "1G"\n' >"$config"
cp "$config" "$scratch/before"
public=(pool add public --kind ipv4 --range 192.0.2.0-192.0.2.63 --exclude 192.0.2.0-192.0.2.3 --exclude 192.0.2.63)
check 'a dry run shows the lines' says '^\+range = "192\.0\.2\.0-192\.0\.2\.63"$' "${with[@]}" --dry-run "${public[@]}"
check 'and changes nothing' cmp "$config" "$scratch/before"
refuse 2 'not changed unasked.*--dry-run.*--yes' "${with[@]}" "${public[@]}" </dev/null
check 'nothing is changed unasked' cmp "$config" "$scratch/before"
check 'the pool is added' quiet "${with[@]}" "${public[@]}" --yes
check 'at the end' cmp -n "$(stat -c %s "$scratch/before")" "$config" "$scratch/before"
check 'with all that was said' equal "$(tail -5 "$config" | tr '\n' ' ')" '[[pool]] name = "public" kind = "ipv4" range = "192.0.2.0-192.0.2.63" exclude = ["192.0.2.0-192.0.2.3", "192.0.2.63"] '
cp "$config" "$scratch/with"
refuse 4 'pool public is there already .*nutshell.toml:16' "${with[@]}" "${public[@]}" --yes
refuse 3 'pool add: .*overlaps pool public' "${with[@]}" pool add other --kind ipv4 --range 192.0.2.9 --yes
refuse 3 'pool add: .*range = .*malformed' "${with[@]}" pool add other --kind ipv4 --range 192.0.2 --yes
refuse 3 'kind.*mac.*ipv4 or subnet' "${with[@]}" pool add other --kind mac --range 192.0.2.9 --yes
refuse 3 'is no name, kind or range' "${with[@]}" pool add 'x"' --kind ipv4 --range 198.51.100.1 --yes
refuse 2 'needs --kind' "${with[@]}" pool add other --yes
refuse 6 'no pool other' "${with[@]}" pool rm other --yes
check 'what was refused changed nothing' cmp "$config" "$scratch/with"

say '-- who owns what'
check 'a range is kept out of use' quiet "${with[@]}" lease reserve public 192.0.2.8-192.0.2.11 --note 'the printers'
refuse 4 'printers' "${with[@]}" lease reserve public 192.0.2.10-192.0.2.20
ip link add br0 type bridge
ip link set br0 up
ip addr add 192.0.2.40/24 dev br0
ip link add tun7 type bridge
ip link set tun7 up
ip route add 192.0.2.48/29 dev tun7
check 'the map' equal "$(map public)" '192.0.2.0-192.0.2.3 excluded null
192.0.2.4-192.0.2.7 free null
192.0.2.8-192.0.2.11 reserved the printers
192.0.2.12-192.0.2.39 free null
192.0.2.40-192.0.2.40 foreign address 192.0.2.40/24 of br0
192.0.2.41-192.0.2.47 free null
192.0.2.48-192.0.2.55 foreign route 192.0.2.48/29 via tun7
192.0.2.56-192.0.2.62 free null
192.0.2.63-192.0.2.63 excluded null'
ip route add unreachable 192.0.2.16/28
ip route add unreachable 192.0.0.0/20
check 'what is routed elsewhere, but for a LAN inside of that' equal "$(map public | grep -E '192.0.2.(12|16|3[0-9])')" '192.0.2.12-192.0.2.15 free null
192.0.2.16-192.0.2.31 foreign route 192.0.2.16/28 (unreachable)
192.0.2.32-192.0.2.39 free null'
ip route del unreachable 192.0.2.16/28
ip route del unreachable 192.0.0.0/20
check 'as a bar' says '^  \[eeee\.\.\.\.rrrr\.{28}f\.{7}f{8}\.{7}e\]$' "${with[@]}" pool ls
check 'with its owners' says '^  r 192\.0\.2\.8-192\.0\.2\.11 +reserved the printers$' "${with[@]}" pool ls
check 'addresses are counted, not leases' equal "$("${with[@]}" --json pool ls | jq '.pools[] | select(.name == "public") | .size, .reserved' | tr '\n' ' ')" '59 4 '
check 'an address of a range is its owner'"'"'s' says 'reserved by hand: the printers .192\.0\.2\.8-192\.0\.2\.11 of pool public' "${with[@]}" who 192.0.2.10
check 'a network of machines' quiet "${with[@]}" network create lab
check 'is in the map of subnets' says '^10\.75\.0\.0-10\.75\.0\.255 network lab$' map subnet
ip addr add 10.75.9.1/24 dev br0
check 'so is a stranger' says '^10\.75\.9\.0-10\.75\.9\.255 foreign address 10\.75\.9\.1/24 of br0$' map subnet
check 'a part of a reservation is given back' quiet "${with[@]}" lease release public 192.0.2.8
check 'and the rest is not' says '^192\.0\.2\.9-192\.0\.2\.11 reserved' map public

say '-- what a cloud has'
printf 'name = "alpha"\n[public]\ncount = 6\n[private]\nprefix = 26\n[[machine]]\nname = "m"\nmemory = "64M"\naccel = "tcg"\nnested = "off"\nnics = ["user"]\n' >"$scratch/alpha.toml"
check 'a cloud comes up' quiet "${with[@]}" up --no-start "$scratch/alpha.toml"
check 'its range is in the map' says '^192\.0\.2\.12-192\.0\.2\.17 cloud alpha$' map public
check 'its subnet, too' says '^10\.75\.1\.0-10\.75\.1\.63 cloud alpha$' map subnet
check 'an address of it is the cloud'"'"'s' says 'the cloud alpha .192\.0\.2\.12-192\.0\.2\.17 of pool public' "${with[@]}" who 192.0.2.14
refuse 4 '192.0.2.14 is the cloud alpha.s; it goes back with .nutshell down alpha --purge' "${with[@]}" lease release public 192.0.2.14
refuse 4 'leased to the cloud alpha' "${with[@]}" lease reserve public 192.0.2.17-192.0.2.18
check 'it goes' quiet "${with[@]}" down alpha --purge
check 'and all is free again' says '^192\.0\.2\.12-192\.0\.2\.39 free' map public

say '-- a pool goes when nothing of it is leased'
refuse 4 'pool public still has leases .192\.0\.2\.9-192\.0\.2\.11 is one' "${with[@]}" pool rm public --yes
check 'the rest is given back' quiet "${with[@]}" lease release public 192.0.2.9-192.0.2.11
check 'a dry run shows what goes' says '^-\[\[pool\]\]$' "${with[@]}" --dry-run pool rm public
check 'and takes nothing' cmp "$config" "$scratch/with"
check 'the pool goes' quiet "${with[@]}" pool rm public --yes
check 'and the file is what it was' cmp "$config" "$scratch/before"
check 'one in the middle goes, too' quiet "${with[@]}" pool rm vnc --yes
check 'and leaves what is about others' equal "$(cat "$config")" '# the lab
memory = "2G"   # each

# of the door

# types
[[type]]
name = "tiny"
cpus = 1
memory = "64M"
disk = "1G"'

say '-- files that are not as one thinks'
rm "$config"
check 'there is none yet' quiet n pool add public --kind ipv4 --range 198.51.100.0/28 --yes
check 'the pool is there' says '^public +198\.51\.100\.1 to 198\.51\.100\.14' n pool ls
printf 'memory = "1G"' >"$config"
check 'a last line without an end' quiet "${with[@]}" pool add public --kind ipv4 --range 198.51.100.0/28 --yes
check 'is whole' equal "$(head -1 "$config")" 'memory = "1G"'
mkdir "$scratch/etc"
mv "$config" "$scratch/etc/real.toml"
ln -s etc/real.toml "$config"
chown 1234:1235 "$scratch/etc/real.toml"
chmod 640 "$scratch/etc/real.toml"
check 'one behind a link' quiet "${with[@]}" pool add more --kind ipv4 --range 198.51.100.64/28 --yes
check 'stays there, and whose it is' equal "$(readlink "$config") $(stat -c '%a %u:%g' "$scratch/etc/real.toml") $(grep -c more "$scratch/etc/real.toml")" 'etc/real.toml 640 1234:1235 1'
check 'and goes from there' quiet "${with[@]}" pool rm more --yes
check 'with the link as it was' equal "$(readlink "$config") $(stat -c '%a %u:%g' "$scratch/etc/real.toml") $(grep -c more "$scratch/etc/real.toml")" 'etc/real.toml 640 1234:1235 0'
for i in 1 2 3 4 5 6 7 8; do "${with[@]}" pool add "at-once-$i" --kind ipv4 --range "198.51.100.$((i + 100))" --yes >/dev/null & done
wait
check 'of eight at once none is lost' equal "$(grep -c at-once "$config")" 8
rm "$config"
printf 'memory = \n' >"$config"
cp "$config" "$scratch/before"
refuse 3 'nutshell.toml:1' "${with[@]}" pool add public --kind ipv4 --range 198.51.100.0/28 --yes
check 'a file that cannot be read is left alone' cmp "$config" "$scratch/before"
printf 'pool = [{ name = "public", kind = "ipv4", range = "198.51.100.0/28" }]\n' >"$config"
cp "$config" "$scratch/before"
refuse 1 'is not written as a .* of its own' "${with[@]}" pool rm public --yes
check 'so is one in another form' cmp "$config" "$scratch/before"
finish
