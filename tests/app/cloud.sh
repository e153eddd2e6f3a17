# Clouds for tests: source it behind lib.sh. Files are written to $clouds.
clouds=$scratch/clouds
mkdir "$clouds"

# idle_machine NAME KEYS...: a [[machine]] with nothing to boot, the cheapest that there is.
idle_machine() {
  printf '[[machine]]\nname = "%s"\nmemory = "64M"\naccel = "tcg"\nnested = "off"\n' "$1"
  shift
  printf '%s\n' "$@"
}
# quick_machine NAME KEYS...: one that boots the small guest.
quick_machine() {
  printf '[[machine]]\nname = "%s"\nmemory = "128M"\naccel = "tcg"\nnested = "off"\nkernel = "%s"\ninitrd = "%s"\nappend = "console=ttyS0 quiet"\n' \
    "$1" "$guest/vmlinuz" "$guest/initrd"
  shift
  printf '%s\n' "$@"
}
# public_pool FIRST-LAST [NAME]: declares a pool of public addresses in the root's nutshell.toml.
public_pool() { mkdir -p "$root/etc"; printf '[[pool]]\nname = "%s"\nkind = "ipv4"\nrange = "%s"\n' "${2:-public}" "$1" >>"$config"; }
config=$root/etc/nutshell.toml
down() { n down "$1" --force --timeout 1 "${@:2}" >/dev/null; }
states() { json status "$1" | jq -r '[.machines[] | "\(.name)=\(.state)"] | join(" ")'; }
public_of() { json status "$1" | jq -r '[.public[] | "\(.first)-\(.last)"] | join(" ")'; }
private_of() { json status "$1" | jq -r .private; }
