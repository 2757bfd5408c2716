# Ordinary work of a shell: each step's output and exit status are the same on every correct kernel.
#
# Run it as `busybox sh script.sh` as process group leader, with an empty /tmp. `osdk/pollux test --test workload`
# runs it on Linux and on Pollux and compares step by step.
# A step prints no process ID, time or address, and waits for what it started.

exec 2>&1
export LC_ALL=C
umask 022
mkdir -p /tmp/bin /tmp/work
/bin/busybox --install -s /tmp/bin
PATH=/tmp/bin
cd /tmp/work

# Runs a command and prints its exit status. The command is the step's name.
step() {
    echo "== $1"
    eval "$1"
    echo "-- $?"
}

# Pipelines
step 'seq 1000 | sort -rn | head -n 3'
step 'seq 300 | sed "s/.$//" | sort | uniq -c | sort -k1,1nr -k2,2n | head -n 5'
step 'yes | head -n 3'
step 'yes abc | head -c 100000 | md5sum'
step 'seq 100000 | md5sum | cut -d " " -f 1'
step 'seq 20000 | tac | tail -n 2'
step 'echo one two three | tr " " "\n" | wc'
step 'seq 5 | paste -s -d +'
step 'true | false'
step 'false | true'
step 'set -o pipefail; false | true; s=$?; set +o pipefail; (exit $s)'
step 'seq 50000 | while read n; do test $n = 12345 && echo found && break; done'
step 'seq 10 | (read a; read b; echo $a $b; cat | wc -l)'
step 'cat /dev/null | cat | cat | cat | wc -c'
step 'seq 3000 | tee copy.1 copy.2 | sha256sum; cmp copy.1 copy.2'
step 'seq 100 | xargs -n 30 echo | awk "{ print NF }"'
step 'seq 6 | xargs -n 2 -P 3 sh -c "echo \$((\$0 + \$1))" | sort -n'
step 'printf "%s\0" "a b" c | xargs -0 -n 1 echo item'
step 'echo no | xargs sh -c "exit 3"'
step '{ seq 4; seq 3; } | sort -n | uniq -d'

# dd through pipes
step 'dd if=/dev/zero bs=1k count=300 2>/dev/null | wc -c'
step 'dd if=/dev/zero bs=100000 count=7 2>/dev/null | dd bs=7000 2>/dev/null | md5sum'
step 'seq 40000 > numbers; dd if=numbers bs=512 skip=3 count=2 2>/dev/null | md5sum'
step 'dd if=numbers of=part bs=1000 seek=2 count=1 2>/dev/null; wc -c < part; head -c 2000 part | tr -d "\0" | wc -c'
step 'dd if=numbers bs=64k 2>&1 >/dev/null | head -n 2'
step 'dd if=/no/such/file of=/dev/null'
step 'cat numbers | dd bs=1M count=1 iflag=fullblock 2>/dev/null | wc -c'

# Text
step 'awk "{ s += \$1 } END { print s, NR }" numbers'
step 'awk "BEGIN { while (i++ < 5) print i * i | \"sort -rn\"; close(\"sort -rn\"); print \"end\" }"'
step 'sed -n "100,102p;\$p" numbers'
step 'sed "/5/d;s/[0-9]/<&>/g" numbers | head -n 6'
step 'sed -i "1,39990d" numbers; cat numbers | wc -l'
step 'grep -c 9 numbers; grep -n 39999 numbers; grep nothing numbers'
step 'printf "b 2\na 1\nc 3\n" > pairs; sort pairs; sort -k2 -r pairs'
step 'diff pairs - < /dev/null | tail -n 1'
step 'printf "x\ty\n" | expand | od -c'
step 'printf "%05d|%-5s|%x\n" 42 ab 255'
step 'echo hello | gzip | gunzip; echo hello | bzip2 -c 2>/dev/null | bunzip2'
step 'printf hello | base64; echo aGVsbG8= | base64 -d'
step 'expr 6 \* 7; expr length abcdef; expr 1 = 2'

# Files
step 'mkdir -p tree/a/b tree/c; touch tree/1 tree/a/2 tree/a/b/3 tree/c/.4; find tree | sort'
step 'find tree -type f -name "[0-9]" -exec basename {} \; | sort'
step 'find tree -type d | xargs ls -1d | wc -l'
step 'tar cf - tree | tar tf - | sort'
step 'mkdir copy; tar cf - -C tree . | tar xf - -C copy; find copy | sort'
step 'tar czf tree.tgz tree; tar tzf tree.tgz | wc -l'
step 'ln -s ../1 tree/a/link; ln tree/1 tree/hard; readlink tree/a/link; stat -c "%h %s %F" tree/1 tree/a/link'
step 'mv tree/c tree/d; rmdir tree/a; ls -A tree tree/d'
step 'cp -r tree other; rm -r tree; ls other tree'
step 'chmod 640 pairs; stat -c %a pairs; chmod u+x,g-r pairs; stat -c %A pairs'
step 'touch -d "2001-02-03 04:05:06" old; stat -c %Y old; test pairs -nt old && echo newer'
step 'truncate -s 10000 hole; wc -c hole; truncate -s 3 hole; od -An -tx1 hole'
step 'cd other/a && pwd && cd - > /dev/null && pwd'
step 'for f in *; do test -d $f && echo "$f/" || echo $f; done'
step 'du -a nothing; rm nothing; rm -f nothing'
step 'mktemp -d made.XXXXXX > name; test -d "$(cat name)"; rmdir made.*'
step 'echo data > a.file; mv a.file b.file; cat a.file b.file'
step 'mkdir full; touch full/x; rmdir full; rm -r full; ls full'
step 'umask 077; touch secret; stat -c %a secret; umask 022'
step 'cat < other; echo x > other'

# Redirections and here-documents
step 'cat <<END
expanded: $((40 + 2)) $(echo word)
END'
step 'cat <<"END" | tr a-z A-Z
kept: $HOME
END'
step 'sh -c "echo out; echo err >&2" 2>err.txt >out.txt; cat err.txt out.txt'
step 'echo first > log; echo second >> log; cat < log'
step 'exec 5> fd.txt; echo five >&5; exec 5>&-; cat fd.txt; echo none >&5'
step 'exec 6< log; read x <&6; read y <&6; exec 6<&-; echo $y $x'
step '{ echo a; ls /no/such; } > both 2>&1; cat both'
step 'exec 7<> log; read x <&7; echo MIDDLE >&7; exec 7>&-; cat log'
step 'set -C; echo no > log; set +C; cat log | wc -l'
step 'ls /no/such 2>&1 >/dev/null | wc -l'
step 'read x < /dev/null; echo "[$x]"'

# Subshells, functions, statuses
step '(cd /; x=inner; exit 7); s=$?; echo $s $x; pwd'
step 'f() { local v=$1; test $v -gt 0 && { printf "$v "; f $((v - 1)); }; return 4; }; f 5'
step 'x=$(false; echo value); echo $x; x=$(exit 9)'
step 'nosuchcommand'
step '/tmp/work'
step './pairs-not-there'
step 'printf "#!/tmp/bin/sh\necho script \$1 \$#\nexit 12\n" > script; chmod +x script; ./script one two'
step 'printf "echo no interpreter\n" > plain; chmod +x plain; ./plain'
step 'printf "#!/no/such\n" > broken; chmod +x broken; ./broken'
step 'sh -c "kill -TERM \$\$"'
step 'sh -c "kill -SEGV \$\$"'
step 'sh -c "kill -9 \$\$" | cat; sh -c "trap \"\" TERM; kill \$\$; echo survived"'
step 'env -i A=1 B=2 env; A=3 sh -c "echo \$A"'
step 'setsid sh -c "echo session"; nosuch --option; echo $?'
step 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); (exit $i) || true; done; echo $i'
step 'case abc in a*) echo starts;; *) echo not;; esac; [ 1 -lt 2 ] && [ ! -e /none ]'
step 'set -- a "b c" d; for w in "$@"; do echo "<$w>"; done; shift 2; echo $#'
step 'echo "echo sourced \$v" > lib; v=ok; . ./lib'

# Signals and traps
step 'sh -c "trap \"echo caught; exit 5\" USR1; kill -USR1 \$\$; echo not reached"'
step '(trap "echo leaving" EXIT; exit 3)'
step 'trap "echo hangup" HUP; kill -HUP $$; trap - HUP'
step 'sh -c "trap \"echo int\" INT; kill -INT \$\$; kill -INT \$\$; echo on"'
step 'timeout 0.2 sleep 10'
step 'timeout 10 sh -c "exit 6"'
step 'timeout -s KILL 0.2 sleep 10'
step 'timeout 0.3 yes > /dev/null'

# Jobs in the background. The shell reports a killed job when it happens to look, so this is not compared.
step 'sleep 0.1 & wait $!'
step '{ sleep 10 & kill $!; wait $!; } 2> /dev/null'
step '(exit 11) & wait $!'
step 'for n in 3 1 2; do (echo $n > job.$n; exit $n) & done; wait; cat job.*'
step '{ sleep 10 & p=$!; kill -STOP $p; kill -CONT $p; kill -9 $p; wait $p; } 2> /dev/null'
step 'kill -0 $$; kill -0 999999'
step '(sleep 0.1; echo late > late) & wait; cat late'
step '{ yes > /dev/null & p=$!; usleep 50000; kill $p; wait $p; } 2> /dev/null'
step 'for n in 1 2 3 4 5 6 7 8; do seq $((n * 1000)) | md5sum > sum.$n & done; wait; cat sum.*'
step 'sh -c "sh -c \"usleep 50000; echo orphan > orphan\" &"; while [ ! -s orphan ]; do usleep 10000; done; cat orphan'

# FIFOs
step 'mkfifo queue; seq 5 > queue & cat queue; wait'
step '{ cat queue | tr 1-5 a-e; } & seq 5 > queue; wait'
step 'mkfifo back; { read q < queue; echo "answer to $q" > back; } & echo question > queue; cat back; wait'
step 'tee queue < log > /dev/null & wc -l < queue; wait'
step 'mkfifo queue; test -p queue; rm queue back'

# The network in /proc
step 'ip -4 addr; ip link show lo; ip -4 route show table all'
step 'route -n; netstat -rn; arp; netstat -tun 2> /dev/null | grep -v TIME_WAIT; readlink /proc/net'

# Larger things
step 'seq 20000 | awk "{ print \$1 % 97, \$1 }" | sort -k1,1n -k2,2nr | md5sum'
step 'seq 2000 | sed "s/^/file./" | head -n 150 | (mkdir many; cd many; xargs touch; ls | wc -l; rm -r ../many)'
step 'i=0; while [ $i -lt 40 ]; do echo $i; i=$((i + 1)); done | sort | while read x; do echo -n "$x "; done'
step 'dd if=/dev/zero bs=64k count=64 2>/dev/null | gzip -1 | gunzip | md5sum'
step 'a=$(seq 5000); echo "$a" | md5sum; echo ${#a}'

# Servers and clients. A client retries until the port is open. nc ends as soon as the other end does, even with unsent
# bytes: so one end has nothing to send and an endless input, `hold`, or it answers after the end of the request.
mkfifo hold; exec 8<> hold
seq 30000 > numbers
step 'nc 127.0.0.1 7000 < numbers; echo $?; nc -w 5 127.0.0.1 7000 <&8'
step 'nc -l -p 7001 <&8 > sent & until nc 127.0.0.1 7001 < numbers 2> /dev/null; do usleep 10000; done; wait; cmp numbers sent && echo same'
step 'nc -l -p 7002 < numbers > sent & until nc 127.0.0.1 7002 <&8 2> /dev/null; do usleep 10000; done | md5sum; wait; wc -c sent'
step 'nc -l -p 7003 -e tr 0-9 a-j & until seq 500 | nc 127.0.0.1 7003 2> /dev/null; do usleep 10000; done | md5sum; wait'
step 'nc -l -p 7003 -e sh -c "read q; echo \"answer to \$q\"; exit 3" & until echo question | nc 127.0.0.1 7003 2> /dev/null; do usleep 10000; done; wait $!'
step '{ nc -ll -p 7004 -e md5sum & server=$!
until nc 127.0.0.1 7004 < /dev/null; do usleep 10000; done
clients=; for n in 1 2 3 4 5 6 7 8; do seq $((n * 1000)) | nc 127.0.0.1 7004 > sum.$n & clients="$clients $!"; done; wait $clients
kill $server; wait $server; } 2> /dev/null; cat sum.*'
step 'timeout 0.2 nc -l -p 7005 <&8; nc -l -p 7005 < /dev/null & until nc 127.0.0.1 7005 <&8 2> /dev/null; do usleep 10000; done; wait $!'

mkdir -p www/cgi-bin www/list
seq 50000 > www/numbers; echo "<p>page</p>" > www/index.html; echo in a directory > www/list/index.html
printf "#!/tmp/bin/sh\nprintf \"Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n\"\necho \$REQUEST_METHOD \$QUERY_STRING\ncat\n" > www/cgi-bin/echo
chmod +x www/cgi-bin/echo
httpd -f -p 127.0.0.1:8080 -h www & server=$!
site=http://127.0.0.1:8080
step 'until wget -q -O - $site/ 2> /dev/null; do usleep 10000; done'
step 'wget -q -O - $site/numbers | md5sum; md5sum < www/numbers'
step 'wget -q -O - $site/list/; wget -q -O - $site/list; wget -q -O - $site/none'
step 'wget -q -S -O /dev/null $site/none 2>&1 | grep -v Date'
step 'head -c 100000 www/numbers > numbers; wget -q -c $site/numbers && cmp numbers www/numbers && echo same'
step 'wget -q -O - --post-data "a=1&b=2" "$site/cgi-bin/echo?q"; echo; wget -q -O - "$site/cgi-bin/echo?q=1"'
step 'wget -q -O - --post-file www/numbers $site/cgi-bin/echo | md5sum'
step 'wget --spider $site/numbers; wget -q --spider $site/none'
step 'clients=; for n in 1 2 3 4 5 6 7 8; do wget -q -O - $site/numbers | md5sum & clients="$clients $!"; done; wait $clients'
step 'printf "GET / HTTP/1.0\r\n\r\n" | nc 127.0.0.1 8080 | tail -n 1; printf "nonsense\r\n\r\n" | nc 127.0.0.1 8080 | head -n 1'
step '{ kill $server; wait $server; } 2> /dev/null; wget -O - $site/'

printf "#!/tmp/bin/sh\nprintf \"name? \"\nread name\ntest -t 0 && stty -a | grep -o \"isig [a-z]*\" && echo hello \$name\n" > login; chmod +x login
telnetd -F -b 127.0.0.1 -p 8023 -l ./login & server=$!
step '{ until grep -qs name visit; do usleep 10000; done; echo pollux >&8; } &
until telnet 127.0.0.1 8023 <&8 > visit 2> /dev/null; grep -q Connected visit; do usleep 10000; done; wait $!; cat visit'
step '{ kill $server; wait $server; } 2> /dev/null; telnet 127.0.0.1 8023 <&8'
exec 8>&-; rm hold

# Programs with shared libraries
step '/usr/bin/ls -a /usr/bin; /usr/bin/ls /no/such'
step 'seq 3000 | /usr/bin/sort -r | md5sum; seq 20 | /usr/bin/sort | head -n 3'
step 'ls -1 | sort | head -n 5; cd /; rm -r /tmp/work; ls /tmp/work'
