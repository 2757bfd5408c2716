# Checks the kernel with stress-ng: runs each stressor for some seconds, then checks that the memory came back.
#
# Run as `busybox sh script.sh SECONDS STRESSOR…`. Prints a line for each, and exits with 1 if one failed.
# stress-ng can exit with 0 after `fail:`, for instance if a call is missing: that counts as failed here, too.

seconds=$1
shift
cd /tmp
export PATH=/usr/bin:$PATH

# Prints the free memory of /proc/meminfo in KiB, after a pause for processes that are ending.
free() { sleep 0.5; awk '/^MemFree:/ { print $2 }' /proc/meminfo; }

# A first run loads libraries and buffers that stay in memory.
stress-ng --pipe 1 -t 1 >/dev/null 2>&1

status=0
before=$(free)
for stressor; do
    stress-ng --verify --"$stressor" 2 -t "$seconds" >/tmp/said 2>&1
    result=$?
    # Pollux has no /sys, and the twin mounts none: stress-ng then uses sysconf.
    grep -v -e info: -e 'no CPUs found' /tmp/said && result="$result with complaints"
    after=$(free)
    lost=$((before - after))
    # Per-CPU caches keep some memory; a leak of a page in a hundred rounds is more.
    [ $lost -lt 16384 ] || result="$result, $lost KiB less memory"
    if [ "$result" = 0 ]; then
        echo "test $stressor ... ok"
    else
        echo "test $stressor ... FAILED: status $result"
        status=1
    fi
done
exit $status
