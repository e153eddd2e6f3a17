#!/usr/bin/env bash
# The completion of bash offers what there is: clouds where a cloud is wanted, the machines of that cloud behind it, files where a
# file is, names of machines where a machine is. It is asked as bash asks it, by COMP_WORDS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"

for each in alpha beta; do
  { printf 'name = "%s"\n' "$each"; idle_machine "$each-front" 'nics = ["user"]'; idle_machine node 'count = 2' 'nics = ["user"]'; } >"$clouds/$each.toml"
  n up "$clouds/$each.toml" --no-start >/dev/null
done
n create single --accel tcg --nic user >/dev/null

mkdir "$scratch/bin"
ln -s "$nutshell_bin" "$scratch/bin/nutshell"
# complete WORD...: what is offered for the last one, in order.
complete_words() {
  PATH=$scratch/bin:$PATH NUTSHELL_ROOT=$root bash -c '
    cd "$1" && shift
    source <(nutshell completion bash)
    COMP_WORDS=(nutshell "$@") COMP_CWORD=$#
    _nutshell
    printf "%s\n" "${COMPREPLY[@]}" | LC_ALL=C sort | xargs' bash "$clouds" "$@"
}
offers() { check "$1 offers $2" equal "$(complete_words ${1//_/ } "${@:3}")" "$2"; }

for command in status down answers; do
  offers "$command" 'alpha beta' ''
  offers "$command" beta b
done
offers 'answers alpha' 'alpha-front node1 node2' ''
offers 'answers beta' 'node1 node2' n
offers 'status alpha' '' ''
for command in up plan; do
  offers "$command" 'alpha.toml beta.toml' ''
  offers "$command" alpha.toml al
done
offers 'ls --cloud' 'alpha beta' ''
offers 'launch web --cloud' beta be
offers show 'alpha/alpha-front alpha/node1 alpha/node2 beta/beta-front beta/node1 beta/node2 single' ''
offers 'up alpha.toml' '--restart' --res
offers 'down alpha' '--purge' --pu
offers '' 'path pause plan pool' p
finish
