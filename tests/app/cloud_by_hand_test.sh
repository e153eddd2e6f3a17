#!/usr/bin/env bash
# A cloud whose groups and disks somebody has changed by hand, and whose file is edited then: no rule is left that names what is
# gone, and what `up` advises names the disk whose entry changed, and no other.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
file=$clouds/a.toml
write() { { printf 'name = "a"\n'; cat; } >"$file"; }

say '-- groups'
rules() { idle_machine m 'nics = ["user"]'; for each; do printf '[[group]]\nname = "%s"\nrules = ["udp 1"]\n' "$each"; done; }
rules web jump | write; n up "$file"
n group create mine --cloud a
for naming in mine web; do
  rule="$naming --protocol tcp --port 3-4 --from-group jump --cloud a"
  # shellcheck disable=SC2086  # words
  n group authorize $rule
  rules web | write
  for verb in plan up; do
    refuse 4 "a.toml: the group jump .*a rule of the group $naming names it; .*.nutshell group revoke $rule." nutshell $verb "$file"
  done
  check 'and it is there' matches "$(json group ls --cloud a | jq -r '.groups[].name')" '^jump$'
  # shellcheck disable=SC2086  # words
  check 'what it says can be typed' n group revoke $rule
done
check 'a group that no rule names goes' n up "$file"
n group rm mine --cloud a

say '-- disks that were grown by hand'
down a --purge
disks() { idle_machine m 'nics = ["user"]' "disks = [$1]" | write; }
sizes() { json show a/m | jq -c '[.disks[].size / 1048576]'; }
disks '"8M", "8M"'; n up "$file" --no-start
n volume resize a/m:0 16M
disks '"8M"'
refuse 4 'disks\[1\] cannot be changed in place \(8M to nothing: `nutshell set a/m --drop-disk 1` drops it\)' nutshell plan --no-start "$file"
disks '"16M", "8M"'
check 'what the file says of one that was grown is so' matches "$(n plan --no-start "$file")" '^~ machine m: disks\[0\] 8M to 16M$'
disks '"8M", "16M"'
refuse 4 'disks\[1\] .*`nutshell volume resize a/m:1 16M` grows it' nutshell up --no-start "$file"
disks '"16M"'
refuse 4 'disks\[1\] .*--drop-disk 1' nutshell up --no-start "$file"
n set a/m --drop-disk 1
check 'one that the hand has dropped, too, goes from the file' n up --no-start "$file"
check 'the other one is what it was' equal "$(sizes) $(n plan --no-start "$file" | tail -1)" '[16] nothing is to be done'
down a --purge
finish
