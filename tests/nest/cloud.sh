# Sourced by build.sh: what runs inside the lab host.
make_cloud() { :; }
