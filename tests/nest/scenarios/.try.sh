source ./lib.sh
strace -f -e trace=ioctl,openat,mmap "$NUTSHELL_BIN" --root $root doctor 2>&1 | grep -A3 -B3 -i kvm
cat $root/cache/*
finish
