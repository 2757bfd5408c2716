# Lets stress-ng check the kernel: some seconds for each stressor, then whether the memory came back.
#
# Run as `busybox sh script.sh SECONDS STRESSOR…`. Prints a line for each, and exits with 1 if one failed.
# stress-ng can end with 0 after `fail:`, as when a call it checks is not there: that counts as failed here too.

seconds=$1
shift
cd /tmp
export PATH=/usr/bin:$PATH

# What /proc/meminfo counts as free, in KiB; processes that have just ended get the time to go.
free() { sleep 0.5; awk '/^MemFree:/ { print $2 }' /proc/meminfo; }

# The libraries and the first buffers are read once and stay.
stress-ng --pipe 1 -t 1 >/dev/null 2>&1

status=0
before=$(free)
for stressor; do
    stress-ng --verify --"$stressor" 2 -t "$seconds" >/tmp/said 2>&1
    result=$?
    # The kernels have no /sys, and the twin mounts none: it then takes sysconf's word.
    grep -v -e info: -e 'no CPUs found' /tmp/said && result="$result with complaints"
    after=$(free)
    lost=$((before - after))
    # Caches for each CPU keep some; a leak of a page in a hundred rounds is more.
    [ $lost -lt 16384 ] || result="$result, $lost KiB less memory"
    if [ "$result" = 0 ]; then
        echo "test $stressor ... ok"
    else
        echo "test $stressor ... FAILED: status $result"
        status=1
    fi
done
exit $status
