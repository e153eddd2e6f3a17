#!/usr/bin/env bash
# The place where we write: read-only, full, locked by another, corrupt, from a newer version. Looking still works where it can.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off --nic user)
check "a machine that is there" quiet n create first "${machine[@]}" --disk 1M
before=$(traces)
db=$root/state/registry.db

say "-- read-only"
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
bad 1 'cannot be written|[Rr]ead-only' launch x "${machine[@]}"
bad 1 'cannot be written|[Rr]ead-only' start first
bad 1 'cannot be written|[Rr]ead-only' rm first
bad 1 'cannot be written|[Rr]ead-only' lease reserve vnc :9
check "ls works" matches "$(n ls 2>&1)" 'first'
check "show works" equal "$(state_of first)" defined
check "a dry run works" quiet n --dry-run launch x "${machine[@]}"
umount "$root"
plain_root=$root
root=$scratch/ro/n
mkdir "$scratch/ro"
mount -t tmpfs -o ro none "$scratch/ro"
before=$(traces)
bad 1 '[Rr]ead-only' launch x "${machine[@]}"
check "ls of nothing works" quiet n ls
umount "$scratch/ro"

say "-- full"
mkdir "$scratch/full"
mount -t tmpfs -o size=8M none "$scratch/full"
root=$scratch/full/n
fill() { cat /dev/zero >"$scratch/full/rest" 2>/dev/null; }
fill
before=$(traces)
bad 1 'No space left|disk is full' launch x "${machine[@]}"
rm "$scratch/full/rest"
check "then there is room" quiet n create first "${machine[@]}" --disk 1M
fill
before=$(traces)
bad 1 'No space left|disk is full' launch x "${machine[@]}"
bad 1 'No space left|disk is full' create x "${machine[@]}" --disk 1M
bad 1 'No space left|disk is full' start first
check "ls works" matches "$(n ls 2>&1)" 'first'
check "what is there can be removed from a full disk" n rm first
check "recover puts no healthy registry aside" equal "$(find "$root/state" -name '*broken*')$(nutshell recover)" 'the registry knows every machine that has its spec beside its disks'
for file in "$root"/state/registry.db{,-wal,-shm}; do [[ ! -e $file ]] || cp "$file" "$scratch/"; done
rm -f "$root"/state/registry.db-*
head -c 4096 /dev/urandom | dd of="$root/state/registry.db" conv=notrunc status=none
broken=$(md5sum <"$root/state/registry.db")
fill
check "nor is a broken one gone where there is no room for another" equal "$(nutshell recover 2>&1 | grep -Ec 'full|No space') $(md5sum <"$root/state/registry.db")" "1 $broken"
rm -f "$root"/state/registry.db* "$scratch/full/rest"
mv "$scratch"/registry.db* "$root/state/"
before=$(traces)
# What is left is enough for the registry, and then for nothing more: the command fails in its middle, at each place in turn.
for left in 16 64 $(seq 128 8 200) 256 600; do
  head -c "$(($(df --output=avail -k "$scratch/full" | tail -1) - left))k" /dev/zero >"$scratch/full/rest"
  err=$(n launch x "${machine[@]}" --disk 1M 2>&1 >/dev/null)
  got=$?
  rm "$scratch/full/rest"
  if ((got == 0)); then quiet n rm --force x; else check "$left KiB: exit 1, undone: $err" test $got -eq 1; fi
  ((got == 5)) && quiet n gc
  quiet n ls
  check "$left KiB left: no trace" equal "$(traces)" "$before"
done
umount -l "$scratch/full"

say "-- locked by another"
root=$plain_root
before=$(traces)
lock() { sqlite3 "$db" 'BEGIN EXCLUSIVE;' ".shell touch $scratch/locked; sleep $1" 'ROLLBACK;' & locker=$!; until_true 30 test -e "$scratch/locked"; rm "$scratch/locked"; }
lock 4
err=$(nutshell launch x "${machine[@]}" 2>&1 >/dev/null)
check "4 s are waited for" equal $? 0
check "and after 2 s it says for what" matches "$err" '^waiting for another command that is writing the registry'
wait "$locker"
check "rm" n rm --force x
lock 45
start=$SECONDS
check "ls does not wait" quiet n ls
check "really" test $((SECONDS - start)) -lt 20
wrong 4 'registry .*(locked|busy|another)' create x "${machine[@]}"
took=$((SECONDS - start))
check "after 30 s it gives up ($took s)" test "$took" -ge 29 -a "$took" -lt 45
kill "$locker" 2>/dev/null
wait "$locker" 2>/dev/null
until_true 20 sqlite3 "$db" 'BEGIN IMMEDIATE; ROLLBACK;' 2>/dev/null
check "no trace" equal "$(traces)" "$before"

say "-- from a newer version, of something else, corrupt"
cp -a "$root/state" "$scratch/kept"
restore() { rm -rf "$root/state"; cp -a "$scratch/kept" "$root/state"; }
version=$(sqlite3 "$db" 'PRAGMA user_version')
sqlite3 "$db" "PRAGMA user_version = $((version + 1))"
for command in ls "start first" "rm first" "lease ls"; do wrong 4 'written by a newer nutshell .*; use that version' $command; done
restore
sqlite3 "$db" 'PRAGMA application_id = 1'
wrong 1 'is a database of something else; move it away and run .nutshell recover' ls
restore
rm -f "$db"-*
head -c 65536 /dev/urandom >"$db"
for command in ls "start first"; do wrong 1 'damaged|not a database' $command; done
check "the corrupt file is left as it is" test "$(stat -c %s "$db")" -eq 65536
restore
sqlite3 "$db" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
size=$(stat -c %s "$db")
dd if=/dev/urandom of="$db" bs=1 seek=4096 count=$((size - 4096)) conv=notrunc status=none
wrong 1 'damaged' ls
wrong 1 'damaged' create x "${machine[@]}"
restore
rm -f "$db"-*
: >"$db"
check "an empty file is a new registry" quiet n ls
mkdir "$scratch/dir" && rm -f "$db" && mkdir "$db"
wrong 1 'registry' ls
restore
check "and what was is there again" matches "$(n ls)" first
check "recover makes a corrupt one anew" bash -c "head -c 9999 /dev/urandom >'$db'; rm -f '$db'-*; '$nutshell_bin' --root '$root' --quiet recover >/dev/null && '$nutshell_bin' --root '$root' ls | grep -q first"
finish
