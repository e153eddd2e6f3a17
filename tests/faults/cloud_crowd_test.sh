#!/usr/bin/env bash
# Sixty-four at once, each bringing clouds up and down without starting them, and editing their files in between; every fifth
# command is killed, at a random instant or at a random row of the journal. Whatever they do to one another, no two are ever
# given the same thing, nobody hears anything but what the pools and the others explain, and in the end all can be given back.
# NUTSHELL_CROWD_SECONDS is how long, NUTSHELL_CROWD how many, NUTSHELL_SEED repeats the choices.
. "$(dirname "$0")/../app/lib.sh"
. "$here/cloud.sh"
seconds=${NUTSHELL_CROWD_SECONDS:-60} crowd=${NUTSHELL_CROWD:-64} seed=${NUTSHELL_SEED:-$$}
library=$build_dir/tests/faults/nutshell_kill_at.so
ln "$nutshell_bin" "$scratch/nutshell" 2>/dev/null || cp "$nutshell_bin" "$scratch/nutshell"
nutshell_bin=$scratch/nutshell # the one that is there now: somebody may be building the next
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
say "seed $seed, $crowd processes, $seconds s"

# Fewer than the crowd would like to have, so that some are told so.
public_pool 192.0.2.0-192.0.2.255
printf '[[pool]]\nname = "subnet"\nkind = "subnet"\nrange = "10.75.0.0-10.75.3.255"\n' >>"$config"

# edit NAME FILE: what the cloud shall be from now on. Of eight kinds of files some want the same certain range.
edit() {
  local draft=$2.$BASHPID network=$((RANDOM % 3)) count=$((RANDOM % 3 + 1))
  {
    printf 'name = "%s"\n' "$1"
    case $((RANDOM % 8)) in
      0) ;;
      1) printf '[public]\nrange = "192.0.2.%d-192.0.2.%d"\n' 200 $((200 + RANDOM % 9)) ;;
      *) printf '[public]\ncount = %d\n' $((RANDOM % 8 + 1)) ;;
    esac
    if ((RANDOM % 3)); then printf '[private]\nprefix = %d\n' $((RANDOM % 3 + 26)); fi
    if ((network)); then printf '[[network]]\nname = "lab"\nprefix = 28\nmode = "isolated"\n'; fi
    if ((RANDOM % 2)); then printf '[[group]]\nname = "web"\nrules = ["tcp %d"]\n' $((RANDOM % 4 + 80)); fi
    if ((network)); then idle_machine m "count = $count" 'nics = ["network=lab"]'; else idle_machine m "count = $count" 'nics = ["user"]'; fi
  } >"$draft"
  mv "$draft" "$2"
}

# Allowed are the ends that the pools and the others explain.
is_usual() { # CODE STDERR
  case $1 in
    0 | 137) return 0 ;;
    4) [[ $2 =~ (is used up|is leased to|has no|no free|left|exhausted|belongs to|overlaps|exists already, from|was changed while|is held by|is taken|at work) ]] ;;
    6) [[ $2 =~ (there is no cloud|no cloud is up from) ]] ;;
    *) return 1 ;;
  esac
}

# One of the crowd. Its own cloud, one that it shares with all, and a name that comes from two files.
worker() { # NUMBER
  local me=$1 name file end=$((SECONDS + seconds)) words code err pid log=$scratch/done.$1 i
  RANDOM=$((seed * 131 + me * 7919))
  for ((i = 0; i < me; i++)); do : $RANDOM; done
  while ((SECONDS < end)); do
    name=own$me file=$clouds/own$me.toml
    case $((RANDOM % 8)) in
      0 | 1) name=shared$((RANDOM % 4)) file=$clouds/$name.toml ;;
      2) name=twice$((RANDOM % 2)) file=$clouds/$name.$((RANDOM % 2)).toml ;;
    esac
    if [[ ! -e $file ]] || ((RANDOM % 3 == 0)); then edit "$name" "$file"; fi
    case $((RANDOM % 7)) in
      0) words=(plan "$file") ;;
      1 | 2) words=(down "$name" --purge) ;;
      *) words=(up "$file" --no-start) ;;
    esac
    {
      case $((RANDOM % 10)) in
        0) "$nutshell_bin" --quiet --root "$root" "${words[@]}" >/dev/null 2>"$scratch/err.$me" & pid=$!
          sleep "$((RANDOM % 2)).$((RANDOM % 90 + 10))"
          kill -9 "$pid"
          wait "$pid" ;;
        1) NUTSHELL_KILL_AT=$((RANDOM % 30 + 1)) LD_PRELOAD=$library "$nutshell_bin" --quiet --root "$root" "${words[@]}" >/dev/null 2>"$scratch/err.$me" ;;
        *) "$nutshell_bin" --quiet --root "$root" "${words[@]}" >/dev/null 2>"$scratch/err.$me" ;;
      esac
      code=$?
    } 2>/dev/null
    err=$(cat "$scratch/err.$me")
    if is_usual "$code" "$err"; then code="$code ${words[0]}"; else code="strange $code ${words[0]} $name: ${err//$'\n'/ | }"; fi
    printf '%s\n' "$code" >>"$log"
  done
}

# What is handed out, in the words of `lease ls`: no two ranges that overlap, and nothing twice.
overlaps() {
  json lease ls | jq -r '.leases[] | select(.foreign == null) | [.pool, .value, "\(.cloud)/\(.machine)"] | @tsv' | perl -F'\t' -lane '
    sub number { my $n = 0; $n = $n * 256 + $_ for split /\./, shift; $n }
    my ($pool, $value, $whose) = @F;
    print "twice: $pool $value, $seen{$pool,$value} and $whose" if $seen{$pool, $value}; $seen{$pool, $value} = $whose;
    if ($value =~ m{^([\d.]+)/(\d+)$}) { my $first = number($1); push @ranges, [$first, $first + 2 ** (32 - $2) - 1, "$pool $value $whose"] }
    elsif ($pool !~ /^ipv4:/) { for (split /,\s*/, $value) { push @ranges, [number($1), number($2 // $1), "$pool $value $whose"] if /^(\d+\.\d+\.\d+\.\d+)(?:-([\d.]+))?$/ } }
    END { my $before; for (sort { $a->[0] <=> $b->[0] } @ranges) { print "overlap: $before->[2] and $_->[2]" if $before && $before->[1] >= $_->[0]; $before = $_ if !$before || $_->[1] > $before->[1] } }'
}

# Once in peace: what is there without any cloud.
edit own0 "$clouds/first.toml"
n up "$clouds/first.toml" --no-start >/dev/null && n down own0 --purge >/dev/null || { fail 'a cloud in peace'; finish; }
remains() { traces | grep -v '^\./state/clouds/[a-z0-9]*\.lock$'; }
before=$(remains)

workers=()
for ((i = 0; i < crowd; i++)); do worker "$i" & workers+=($!); done
looks=0 most=0
for ((end = SECONDS + seconds; SECONDS < end;)); do
  found=$(overlaps)
  looks=$((looks + 1))
  [[ -z $found ]] || fail "while they run: $found"
  now=$(json status | jq '.clouds | length')
  ((now > most)) && most=$now
  sleep 1
done
wait "${workers[@]}"

say "$(cat "$scratch"/done.* | wc -l) commands, $looks looks, at most $most clouds:"
cat "$scratch"/done.* | sed 's/^strange.*/strange/' | sort | uniq -c
check 'nobody heard anything strange' test "$(grep -h ^strange "$scratch"/done.* | sort | uniq -c | tee "$scratch/strange" | wc -l)" -eq 0
head -20 "$scratch/strange"
ended() { cat "$scratch"/done.* | grep -qx "$1"; }
for one in '0 up' '0 down' '0 plan' '4 up' '137 up' '137 down'; do check "some ended with $one" ended "$one"; done

check 'gc ends well' n gc
check 'and has nothing more to do' equal "$(json gc --dry-run | jq -c '[.removed, .kept]')" '[[],[]]'
check 'nothing is had twice' equal "$(overlaps)" ''
had() {
  json status | jq -r '.clouds[].name' | while read -r name; do
    json status "$name" | jq -r '(.public[] | "\(.first)-\(.last)"), (.private // empty)'
  done
  json network ls | jq -r '.networks[].subnet'
}
# A range that grew is one range, but two leases: compared is each address.
each_address() { perl -lne 'if (/^((?:\d+\.){3})(\d+)(?:-[\d.]*\.(\d+))?$/) { print "$1$_" for $2 .. $3 // $2 } else { print }' | sort; }
had | each_address >"$scratch/had"
json lease ls | jq -r '.leases[] | select(.foreign == null and .machine == null and (.pool == "public" or .pool == "subnet")) | .value' | each_address >"$scratch/leased"
check 'the clouds have what is leased, and nothing else is' diff "$scratch/had" "$scratch/leased"
check 'each machine is one of a cloud, with a folder' equal "$(find "$root/state/machines" -mindepth 1 -maxdepth 1 | wc -l)" "$(json ls | jq '[.machines[] | select(.cloud != null)] | length')"
json status | jq -r '.clouds[].name' >"$scratch/left"
while read -r name; do n down "$name" --purge >/dev/null || fail "down $name --purge"; done <"$scratch/left"
say "$(wc -l <"$scratch/left") clouds were left and are given back"
check 'nothing is left' equal "$(remains)" "$before"
check 'the registry is whole' equal "$(sqlite3 "$root/state/registry.db" 'PRAGMA integrity_check')" ok
finish
