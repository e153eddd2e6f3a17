dmesg | tail -60
ps -ef | grep -v '\[' | tail -20
