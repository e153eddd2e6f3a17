#!/usr/bin/env bash
# The traditional deployment: a frontend and a node controller in one cloud, and a frontend in another, all on this host and
# all at once. Each has its own volume, MAC and display, as the guests themselves, the volumes' bytes and the wire show.
# limit: 900
source ./lib.sh

machines=(north/frontend north/node south/frontend)
# field NAME FILTER: of what `show` says of a machine; asked once, since nothing of it changes.
field() {
  local file=$scratch/${1//\//-}.json
  [[ -s $file ]] || json show "$1" >"$file"
  jq -r "$2" "$file"
}
# distinct WHAT FILTER: the three machines have three values.
distinct() {
  local each values=()
  for each in "${machines[@]}"; do values+=("$(field "$each" "$2")"); done
  say "   $1: ${values[*]}"
  [[ " ${values[*]} " != *' null '* && $(printf '%s\n' "${values[@]}" | sort -u | wc -l) -eq 3 ]]
}
line_of() { tr -d '\r' <"$root/log/$(field "$1" .uuid)/1.serial" | grep -a '^nutshell-guest: up ' | tail -n 1; }

must "a volume group" make_vg
on_exit drop_vg
must "a bridge" ip link add br0 type bridge
on_exit ip link del br0
ip link set br0 up
set_stage

note 'three machines, one after another, two of them with the same name'
for each in "${machines[@]}"; do
  must "launch $each" small "${each#*/}" --cloud "${each%/*}" --nic bridge=br0 --disk "64M,vg=$vg"
done
for each in "${machines[@]}"; do check "$each is up" n wait "$each" serial='nutshell-guest# ' --timeout 120; done
check "they run at once" equal "$(json ls | jq -r '[.machines[] | select(.state == "running") | "\(.cloud)/\(.name)"] | sort | join(" ")')" "${machines[*]}"
check "all of them by KVM" equal "$(for each in "${machines[@]}"; do json qmp "$each" query-kvm | jq -c '.. | objects | select(has("enabled")) | .enabled'; done | sort -u)" true

note 'nothing of theirs is the same'
check "a volume each" distinct volumes '.disks[0].path'
check "which the host has, and no other" equal "$(lvs --noheadings -o lv_name "$vg" | xargs)" "$(for each in "${machines[@]}"; do basename "$(field "$each" '.disks[0].path')"; done | sort | xargs)"
check "each with the mark of its machine" equal "$(lvs --noheadings -o lv_tags "$vg" | xargs -n 1 | sort)" "$(for each in "${machines[@]}"; do echo "nutshell.machine=$(field "$each" .uuid)"; done | sort)"
check "a MAC each" distinct MACs '.nics[0].mac'
check "a display each" distinct displays '.vnc.display'
check "a tap each" distinct taps '.nics[0].tap'
for each in "${machines[@]}"; do
  check "$each sees its own MAC" matches "$(line_of "$each")" "nics=eth0/$(field "$each" '.nics[0].mac')/virtio_net "
  check "and its own uuid" matches "$(line_of "$each")" "uuid=$(field "$each" .uuid) "
  check "and 64 MiB of disk" matches "$(line_of "$each")" 'disks=vda/67108864 '
  check "a VNC server answers on its display" equal "$(timeout 5 socat -u "TCP:127.0.0.1:$(field "$each" .vnc.port)" - | head -c 3)" RFB
done

note 'each writes on its disk, and reaches its own cloud alone'
i=0
for each in "${machines[@]}"; do
  i=$((i + 1))
  check "$each writes" ask "$each" "echo this-is-$each | dd of=/dev/vda conv=fsync 2>/dev/null; ip link set lo up; ip addr add 192.168.77.$i/24 dev eth0; ip link set eth0 up; echo wrote-\$?" wrote-0 60
done
for each in "${machines[@]}"; do
  check "what $each wrote is on its volume alone" equal "$(dd if="$(field "$each" '.disks[0].path')" bs=4096 count=1 iflag=direct status=none | tr -d '\0')" "this-is-$each"
done
# reached MACHINE: which of the three answer it.
reached() { ask "$1" 'n=; for i in 1 2 3; do ping -c 1 -W 3 192.168.77.$i >/dev/null && n=$n-$i; done; echo reached$n-end' "$2" 60; }
check "north/frontend reaches its node, and not the other cloud" reached north/frontend reached-1-2-end
check "north/node reaches its frontend, and not the other cloud" reached north/node reached-1-2-end
check "south/frontend reaches itself alone" reached south/frontend reached-3-end

note 'one ends, the others stay'
check "kill one" n kill north/frontend
check "rm it" n rm north/frontend
check "the others run on" equal "$(json ls | jq -r '[.machines[] | select(.state == "running") | "\(.cloud)/\(.name)"] | sort | join(" ")')" 'north/node south/frontend'
check "and keep their volumes" equal "$(lvs --noheadings -o lv_name "$vg" | wc -l)" 2
for each in north/node south/frontend; do n rm "$each" --force; done
finish
