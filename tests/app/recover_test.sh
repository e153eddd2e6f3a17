#!/usr/bin/env bash
# A registry that is lost or broken is made anew from what proves itself, and `gc` takes only what carries our mark and is held
# by nobody: a stranger's link with a name like ours survives, and a volume goes only when that is asked for.
. "$(dirname "$0")/lib.sh"

# What must be as before: machines with their NICs, displays, disks; and who has which lease.
book() {
  json ls | jq -S '.machines[] | {name, cloud, state, uuid, pid, cpus, memory, nics, disks, vnc}'
  n lease ls --json | jq -r '.leases[] | "\(.pool) \(.value) \(.cloud) \(.machine)"' | sort
}
same_book() { diff <(printf '%s\n' "$book_before") <(book); }
lose() { rm -f "$root"/state/registry.db*; }
# The log goes first: it could repair the file.
corrupt() { rm -f "$root"/state/registry.db-*; head -c 5000 /dev/urandom | dd of="$root/state/registry.db" conv=notrunc status=none; }

# journal UUID STEPS: the plan of an `rm` whose command is gone.
journal() { sqlite3 "$root/state/registry.db" "INSERT INTO journal (plan, steps, owner_pid, owner_start, boot_id, since) VALUES ('{\"verb\":\"rm\",\"machine\":\"$1\",\"on_failure\":\"keep_going\",\"steps\":$2}', 1, 1, 1, 'gone', '')"; }

n launch runs --memory 64M --nested off --accel tcg --disk 16M --nic network=nutshell0 --nic user >/dev/null
n launch halts --memory 64M --nested off --accel tcg --disk 16M,format=qcow2 --cloud lab >/dev/null
n qmp lab/halts quit >/dev/null
stopped() { [[ $(state_of lab/halts) == stopped ]]; }
check "one machine is stopped" until_true 30 stopped
n create waits --memory 64M --nic network=nutshell0 >/dev/null
book_before=$(book)

lose
check "with the registry lost, ls lists nothing" equal "$(json ls | jq -c .machines)" '[]'
check "recover, after a loss" n recover
check "all is as it was" same_book
check "recover once more finds nothing to do" matches "$(n recover)" 'the registry knows every machine'

corrupt
refuse 1 'nutshell recover' n ls
check "recover, after damage" n recover
check "all is as it was" same_book
check "the broken registry is kept" test -n "$(find "$root/state" -name 'registry.db.broken-*' -size +0)"

say '-- one that opens, and cannot be read'
registry=$root/state/registry.db version=$(sqlite3 "$root/state/registry.db" 'PRAGMA user_version')
set_aside() { find "$root/state" -name 'registry.db.broken-*' ! -name '*-wal' ! -name '*-shm' | wc -l; }
for at in 4 8 12 16 20 24 28; do
  sqlite3 "$registry" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
  rm -f "$registry"-* "$registry".broken-*
  dd if=/dev/urandom of="$registry" bs=4096 seek="$at" count=3 conv=notrunc status=none
  kept=$(md5sum <"$registry")
  check "damage at page $at: a dry run says so" matches "$(nutshell --dry-run recover 2>&1)" 'is damaged .*run .nutshell recover. to rebuild it'
  check "recover, twice" equal "$(n recover | grep -c 'the old registry .* is kept as')$(n recover)" '1the registry knows every machine that has its spec beside its disks'
  check "the broken one is kept as it was" equal "$(set_aside) $(md5sum <"$(find "$root/state" -name 'registry.db.broken-*Z')")" "1 $kept"
  check "all is as it was" same_book
  check "and nothing of it is damaged" equal "$(sqlite3 "$registry" 'PRAGMA integrity_check')" ok
done
for change in "machine SET spec = substr(spec, 9) WHERE name = 'halts'" "journal SET plan = 'x'"; do
  rm -f "$registry".broken-*
  journal "$(uuid_of waits)" '[]'
  sqlite3 "$registry" "UPDATE $change"
  refuse 1 'cannot be read .*nutshell recover' n rm lab/halts
  check "what only we can read: recover" n recover
  check "the old one is kept, with its log" test "$(set_aside)" -eq 1 -a -e "$(find "$root/state" -name 'registry.db.broken-*-wal')"
  check "all is as it was" same_book
done
rm -f "$registry".broken-*
journal "$(uuid_of waits)" '[{"step":"teleport"}]'
refuse 4 'teleport.* finish it with the version that wrote it' n recover
sqlite3 "$registry" 'DELETE FROM journal'
sqlite3 "$registry" 'PRAGMA user_version = 999'
refuse 4 'written by a newer nutshell' n recover
sqlite3 "$registry" "PRAGMA user_version = $version"
check "one of a newer version is not broken" equal "$(set_aside)" 0
check "all is as it was" same_book

n launch new --memory 64M --nested off --accel tcg >/dev/null
check "a new machine is given nothing that the recovered ones have" equal \
  "$(json ls | jq -r '.machines[].nics[] | .mac, .ip | select(. != null and . != "")' | sort | uniq -d)" ""
check "the stopped one starts" n start lab/halts
check "all others run" equal "$(json ls | jq -r '.machines[].state' | sort | uniq -c | xargs)" '1 defined 3 running'
for name in runs lab/halts new; do
  check "$name: kill" n kill "$name"
  check "$name: rm" n rm "$name"
done
check "the one that never ran: rm" n rm waits
rm -f "$root"/state/registry.db.broken-*
check "no link, process, lease or machine is left" equal "$(traces | grep -v /state/registry)" "link lo"

say '-- an older registry, put in the place of the one that was lost'
back_up() { rm -rf "$scratch/older"; mkdir "$scratch/older"; cp "$root"/state/registry.db* "$scratch/older"; }
put_back() { lose; cp "$scratch"/older/* "$root/state/"; }
check "a machine that is defined" n create old --memory 64M --nested off --accel tcg --nic network=nutshell0 --publish 8443:443
check "and another one" n create other --memory 64M --nested off --accel tcg --nic network=nutshell0
back_up
check "it is started" n start old
pid=$(pid_of old)
put_back
check "gc says what to do, and takes nothing of it" equal "$(n gc | grep -c 'a running machine.*nutshell recover') $(test -S "$root/run/$(uuid_of old | cut -c1-8)/qmp" && echo there)" '1 there'
refuse 4 'old runs, and the registry does not know of it; run .nutshell recover. first' nutshell start other
check "recover finds it" matches "$(n recover)" "found again: old, running \(pid $pid\)"
check "as it is" equal "$(state_of old) $(pid_of old) $(n lease ls --pool port | grep -c 8443)" "running $pid 1"
check "with its rules" matches "$(nft list ruleset)" 8443
check "and another one starts" n start other
back_up
check "one that was started again since" n restart old --force --timeout 1
pid=$(pid_of old)
put_back
check "is found, too" matches "$(n recover)" "found again: old, running \(pid $pid\)"
check "by its own tap" ip link show "$(json show old | jq -r ".nics[0].tap")"
for name in old other; do check "$name: rm" n rm "$name" --force; done
rm -f "$root"/state/registry.db.broken-*
check "nothing of them is left" equal "$(traces | grep -v /state/registry)" "link lo"

say '-- copied and put back as nutshell(1) says'
n create one --memory 64M --nic user >/dev/null
check "a copy, beside a command" equal "$(sqlite3 "$registry" ".backup $scratch/copy.db"; sqlite3 "$scratch/copy.db" 'SELECT name FROM machine; PRAGMA integrity_check' | xargs)" 'one ok'
check "all files" back_up
n create two --memory 64M --nic user >/dev/null
sqlite3 "$registry" 'SELECT 1' >/dev/null # it folds the log in
n create three --memory 64M --nic user >/dev/null
rm -f "$registry"-wal "$registry"-shm
cp "$scratch/copy.db" "$registry"
check "the copy is read" equal "$(json ls | jq -r '.machines[].name' | xargs)" one
check "recover finds what came later" matches "$(n recover | sort | xargs)" 'found again: three found again: two'
check "with nothing broken" equal "$(set_aside) $(json ls | jq -r '.machines[].name' | xargs)" '0 one three two'
put_back
check "so it does beside all files" matches "$(n recover | sort | xargs)" 'found again: three found again: two'
for name in one two three; do n rm $name; done

# A stranger with our naming and without our mark.
tag=$(n launch own --memory 64M --nested off --accel tcg >/dev/null && json show own | jq -r '.nics[0].tap')
n kill own
ip tuntap add "$tag" mode tap
ip tuntap add nt0000-1 mode tap
ip link add nutshell0 type bridge
ip link add nutshell1 type bridge
ip link add nutshell2 type bridge && ip link set nutshell2 alias nutshell:network:nutshell0:ffff
strangers=$(ip -o link | awk -F'[:@ ]+' '{print $2}' | sort | xargs)
n gc >"$scratch/gc"
check "gc finds nothing of ours" matches "$(cat "$scratch/gc")" 'nothing was left behind'
refuse 4 "bridge nutshell0: .* not nutshell's .*rename it, or remove it" n start own
check "own is as it was" equal "$(state_of own) $(n lease ls --json | jq '[.leases[] | select(.pool == "tap" or .pool == "vnc")] | length')" "stopped 0"
n rm own
check "beside strangers a network gets another bridge" n launch other --memory 64M --nested off --accel tcg
check "it has another tap" test "$(json show other | jq -r '.nics[0].tap')" != "$tag"
check "it has another bridge" equal "$(json show other | jq -r '.nics[0].bridge')" nutshell3
n rm other --force
check "the strangers survive gc, launch and rm" equal "$(ip -o link | awk -F'[:@ ]+' '{print $2}' | sort | xargs)" "$strangers"
for link in "$tag" nt0000-1 nutshell0 nutshell1 nutshell2; do ip link del "$link"; done

# What nobody owns any more: a machine's folder with and without a volume, a run folder, a network's bridge with our mark.
idle orphan --disk 16M >/dev/null
n kill orphan
idle empty --vnc off >/dev/null
n kill empty
orphan=$(uuid_of orphan) empty=$(uuid_of empty)
disk=$root/state/machines/$orphan/disk0.img
lose
n gc --volumes >"$scratch/gc"
check "what recover finds again, gc keeps" equal "$(grep -c '^kept: the folder .*which the registry does not know: .nutshell recover. finds it again' "$scratch/gc") $(cd "$root/state/machines" && ls | wc -l)" '2 2'
check "doctor says what is to be done, and not gc" equal "$(n doctor | grep -c '^registry *bad .*it is the machine \(orphan\|empty\),.*nutshell recover' ) $(n doctor | grep -c 'nutshell gc')" '2 0'
cp "$root/state/machines/$orphan/spec.json" "$scratch/spec.json"
echo '{' >"$root/state/machines/$orphan/spec.json"
n gc --volumes >"$scratch/gc"
check "nor does it take the disks of one whose spec cannot be read" equal "$(grep -c "^kept: the folder .*$orphan.*its spec.json cannot be read" "$scratch/gc") $(test -s "$disk" && echo there)" '1 there'
cp "$scratch/spec.json" "$root/state/machines/$orphan/spec.json"
rm "$root/state/machines/$orphan/spec.json" "$root/state/machines/$empty/spec.json" # as rm --keep-volumes leaves it
mkdir -p "$root/run/0123abcd"
n gc --dry-run >"$scratch/gc"
check "a dry run takes nothing" test -e "$root/run/0123abcd" -a -e "$root/state/machines/$empty"
check "it says what, and why" matches "$(cat "$scratch/gc")" "would remove the folder .*$empty .*no machine of the registry has it, and its lock is free"
check "it keeps the volume" matches "$(cat "$scratch/gc")" "kept: the folder .*$orphan .*holds volumes"
check "gc" n gc
check "gc took the folder without volumes and the run folder" test ! -e "$root/run/0123abcd" -a ! -e "$root/state/machines/$empty"
check "gc kept the volume" test -s "$disk"
mkdir "$root/state/machines/$orphan/mine" && refuse 5 'mine' n gc --volumes
rmdir "$root/state/machines/$orphan/mine"
check "gc --volumes" n gc --volumes
check "the volume is gone" test ! -e "$root/state/machines/$orphan"
check "nothing is left" equal "$(traces)" "link lo"
finish
