# Runs Debian's memcached and redis-server for clients on the host. They end redis-server twice; the second one loads
# the snapshot of the first. Then redis-benchmark queries a third over loopback.
#
# Run as `busybox sh script.sh REQUESTS`. Prints the output of redis-benchmark, and fails if a server fails.

export PATH=/usr/bin:$PATH
cd /tmp

serve() { redis-server --protected-mode no --dir /tmp --save '' --logfile /tmp/redis.log "$@"; }
fail() { cat /tmp/redis.log; echo "failed: $*"; exit 1; }

memcached -u root -t 4 -I 2m &
memcached=$!
serve || fail "the first redis-server"
serve || fail "the second redis-server"

serve --appendonly no &
redis=$!
until [ "$(redis-cli ping 2>/dev/null)" = PONG ]; do sleep 0.1; done
redis-benchmark --csv -n "$1" -c 50 -t ping_mbulk,set,get,lpush,lrange_100 || fail redis-benchmark
redis-cli shutdown nosave
wait $redis || fail "the third redis-server"
kill $memcached
wait $memcached || fail memcached
