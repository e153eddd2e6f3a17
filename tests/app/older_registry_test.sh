#!/usr/bin/env bash
# An older copy of the registry in the place of the one that there was: machines run that it takes for stopped, others it does
# not know at all. Until `recover` nobody stops, changes, removes or makes anew what is there, and each says what to do first.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
public_pool 203.0.113.0-203.0.113.63 pub
says() { local pattern=$1; shift; "$@" 2>&1 | grep -Eq -- "$pattern"; }
quiet() { "$@" >/dev/null; }
keep_copy() { rm -rf "$scratch/older" && mkdir "$scratch/older" && cp "$root"/state/registry.db* "$scratch/older"; }
put_copy_back() { rm -f "$root"/state/registry.db* && cp "$scratch"/older/* "$root/state"; }
file=$clouds/o.toml
{ printf 'name = "o"\n[[network]]\nname = "in"\n'; idle_machine m1 'nics = ["network=in"]' 'disks = ["10M"]'; idle_machine m2 'nics = ["user"]' 'disks = ["10M"]'; } >"$file"

say '-- machines that run, and the registry says that they do not'
check 'a cloud' quiet n up "$file" --no-start
keep_copy
check 'comes up' quiet n up "$file"
pids=$(for each in m1 m2; do json show o/$each | jq .pid; done | xargs)
disk=$(json show o/m1 | jq -r '.disks[0].path')
put_copy_back
for words in ls status 'status o' 'show o/m1'; do
  # shellcheck disable=SC2086  # words
  check "$words says so" says 'warning: o/m. (and 1 more run|runs), and the registry does not know of (it|them); .nutshell recover' nutshell $words
done
know='o/m[12] runs, and the registry does not know of it; run .nutshell recover. first'
for words in 'rm o/m1' 'rm o/m1 --force' 'stop o/m1' 'kill o/m2' 'restart o/m1' 'set o/m1 --cpus 2' 'down o' 'down o --force --timeout 1' 'down o --purge --force' 'volume resize o/m1:0 20M' 'console o/m1'; do
  # shellcheck disable=SC2086  # words
  refuse 4 "$know" nutshell $words
done
for verb in plan up; do refuse 4 "$know" nutshell $verb "$file"; done
cp "$file" "$scratch/o.toml"
sed -i '/name = "m2"/,$d' "$file" && sed -i '$d' "$file"
refuse 4 "$know" nutshell up "$file" --timeout 1
cp "$scratch/o.toml" "$file"
check 'all of it is there' test -f "$disk" -a -d "$root/log/$(uuid_of o/m1)"
check 'recover' quiet n recover
check 'finds those that run' equal "$(for each in m1 m2; do json show o/$each | jq .pid; done | xargs)" "$pids"
check 'nothing more is said' equal "$(nutshell ls 2>&1 >/dev/null)" ''
check 'nothing was to be done' says 'nothing was to be done' nutshell up "$file"
check 'one is killed' quiet n kill o/m1
check 'its disk stays' test -f "$disk"
check 'and starts' quiet n start o/m1
check 'down' quiet n down o --force --timeout 1

say '-- machines and networks that it does not know'
keep_copy
{ printf '[[network]]\nname = "late"\n'; idle_machine db 'nics = ["network=late"]' 'disks = ["10M"]'; } >>"$file"
check 'the file gets more' quiet n up "$file" --no-start
note=$(cat "$root/state/networks/o-late.json") uuid=$(uuid_of o/db)
put_copy_back
for verb in plan up; do refuse 4 'the registry has lost the machine o/db; run .nutshell recover. first' nutshell $verb "$file" --no-start; done
refuse 4 'the registry has lost the machine o/db' nutshell down o --purge
mv "$root/state/machines/$uuid" "$scratch/away"
refuse 4 'o.toml:[0-9]+: the registry has lost the network o-late' nutshell up "$file" --no-start
mv "$scratch/away" "$root/state/machines/$uuid"
check 'the note of the network is as it was' equal "$(cat "$root/state/networks/o-late.json")" "$note"
check 'recover' quiet n recover
check 'finds it' equal "$(uuid_of o/db)" "$uuid"
check 'nothing was to be done' says 'nothing was to be done' nutshell up "$file" --no-start

check 'the older one knew the volume' quiet n volume create keep --size 8M
keep_copy
check 'a machine of a later day has it' quiet n create user --nic none --accel tcg --nested off --disk "path=$root/state/volumes/keep.img"
put_copy_back
for words in 'volume rm keep' 'volume resize keep 16M'; do
  # shellcheck disable=SC2086  # words
  refuse 4 'keep is a disk of user, which the registry has lost' nutshell $words
done
refuse 6 'the registry has lost the machine user; .nutshell recover. finds it again' nutshell rm user
check 'ls says so, too' says 'the registry does not know the machine user' nutshell ls
check 'recover' quiet n recover
check 'the volume is its' quiet n rm user
check 'and goes after it' quiet n volume rm keep

say '-- a group that has changed on a later day'
quiet n group create web --cloud o
check 'it lets in' quiet n group authorize web --cloud o --protocol tcp --port 22
check 'a machine is in it' quiet n set o/m2 --group web
keep_copy
check 'later it does not' quiet n group revoke web --cloud o --protocol tcp --port 22
put_copy_back
kept=$(cat "$root/state/firewall.json")
for words in 'group authorize web --cloud o --protocol tcp --port 23' 'group revoke web --cloud o --protocol tcp --port 22' 'group create db --cloud o' 'address allocate --cloud o' 'down o --purge'; do
  # shellcheck disable=SC2086  # words
  refuse 4 'firewall.json is of a later day than the registry, .* run .nutshell recover. first' nutshell $words
done
for verb in start restart; do refuse 4 'firewall.json is of a later day than the registry' nutshell $verb o/m2; done
check 'what waits for no group comes up' says 'nothing was to be done' nutshell up "$file" --no-start
cp "$file" "$scratch/o.toml"
printf '[[group]]\nname = "db"\n' >>"$file"
for verb in plan up; do refuse 4 'firewall.json is of a later day than the registry' nutshell $verb "$file" --no-start; done
cp "$scratch/o.toml" "$file"
check 'gc' quiet n gc
check 'what is kept is as it was' equal "$(cat "$root/state/firewall.json")" "$kept"
check 'the machine is, too' equal "$(json show o/m2 | jq -r .state)" stopped
check 'recover' says 'found again: security group o/web' nutshell recover
check 'has the word of the later day' equal "$(json group ls --cloud o | jq -c '.groups[].rules')" '[]'
check 'and nothing more is found' says 'knows every machine' nutshell recover
check 'it can be changed again' quiet n group authorize web --cloud o --protocol tcp --port 23
check 'and what is kept says so' matches "$(jq -c '.groups[] | select(.name == "web") | [.rules[].low]' "$root/state/firewall.json")" '^.23.$'
check 'the machine leaves it' quiet n set o/m2 --drop-group web
check 'and it goes' quiet n group rm web --cloud o

say '-- an address that is reserved on a later day'
keep_copy
check 'it is reserved' quiet n lease reserve pub 203.0.113.9
put_copy_back
refuse 4 'reserved.json is of a later day than the registry, .* run .nutshell recover. first' nutshell lease reserve pub 203.0.113.10
refuse 4 'reserved.json is of a later day' nutshell down o --purge
check 'recover' says 'found again: reservation 203.0.113.9' nutshell recover
check 'and both can be had' quiet n lease reserve pub 203.0.113.10
for each in 9 10; do check "and given back ($each)" quiet n lease release pub 203.0.113.$each; done

say '-- a spec that cannot be read'
keep=$(cat "$root/state/machines/$uuid/spec.json")
rm "$root"/state/registry.db*
printf '%s' "${keep:0:300}" >"$root/state/machines/$uuid/spec.json"
refuse 5 "$uuid" nutshell recover
check 'a volume' quiet n volume create another --size 8M
refuse 4 "a machine that uses another is not there, and may be what is in .*$uuid" nutshell volume rm another
refuse 4 "db is not there, and may be what is in .*$uuid, whose spec.json cannot be read; mend that" nutshell up "$file" --no-start
printf '%s' "$keep" >"$root/state/machines/$uuid/spec.json"
check 'once it is mended' quiet n recover
check 'the volume goes' quiet n volume rm another
check 'it is whole' says 'nothing was to be done' nutshell up "$file" --no-start

say '-- no registry at all'
mac=$(json show o/db | jq -r '.nics[0].mac') disk=$(json show o/db | jq -r '.disks[0].path')
rm "$root"/state/registry.db*
refuse 4 'the registry has lost the cloud o' nutshell address allocate --cloud o
refuse 4 "$mac is the MAC of o/db, which the registry has lost" nutshell lease reserve mac "$mac"
refuse 4 'a volume of the machine o/db, which the registry has lost' nutshell create thief --nic none --accel tcg --nested off --disk "path=$disk"
for words in 'down o' 'answers o' 'status o'; do
  # shellcheck disable=SC2086  # words
  refuse 6 'the registry has lost the cloud o; run .nutshell recover' nutshell $words
done
check 'recover' quiet n recover
check 'has it all' says 'nothing was to be done' nutshell up "$file" --no-start
check 'and it goes' quiet n down o --purge
check 'with its disks' equal "$(ls -A "$root/state/machines")" ''
finish
