#!/usr/bin/env bash
# A cloud whose groups somebody has changed by hand, and whose file is edited then: no rule is left that names what is gone.
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
down a --purge
finish
