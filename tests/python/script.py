# What Debian's python3 finds of a kernel: each step's output is compared between Linux and Pollux.
#
# Run as `python3 script.py`. A step prints a mark, what it found, and nothing that a kernel may choose (times, numbers
# of processes, ports).

import asyncio, contextlib, ctypes, errno, fcntl, functools, gc, hashlib, json, mmap, multiprocessing.shared_memory, os
import pathlib, pty, queue, random, resource, select, selectors, shutil, signal, socket, sqlite3, stat, struct, subprocess
import sys, tempfile, termios, threading, time, traceback, zipfile
from concurrent import futures

STEPS = []


def step(function):
    STEPS.append(function)
    return function


def errors(*calls):
    """Prints what each call raises."""
    for call in calls:
        try:
            print(repr(call()))
        except OSError as error:
            print(type(error).__name__, errno.errorcode.get(error.errno, error.errno))


@step
def os_files():
    with tempfile.TemporaryDirectory() as path:
        top = pathlib.Path(path)
        (top / "a").write_bytes(b"x" * 5000)
        (top / "b").symlink_to("a")
        os.link(top / "a", top / "c")
        (top / "d" / "e").mkdir(parents=True)
        os.mkfifo(top / "f")
        print(sorted(os.listdir(top)), (top / "b").resolve().name, os.stat(top / "a").st_nlink)
        for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
            status = entry.stat(follow_symlinks=False)
            print(entry.name, entry.is_dir(), entry.is_symlink(), stat.filemode(status.st_mode), status.st_nlink)
        os.truncate(top / "a", 10)
        os.utime(top / "a", ns=(1_000_000_001, 2_000_000_002))
        print(os.stat(top / "c").st_size, os.stat(top / "c").st_mtime_ns)
        os.replace(top / "c", top / "d" / "c")
        print([sorted(names) for _, *both in os.walk(top) for names in both])
        shutil.copytree(top / "d", top / "g")
        shutil.copy2(top / "a", top / "h")
        print(sorted(str(name.relative_to(top)) for name in top.rglob("*")))
        print(os.stat(top / "h").st_mtime_ns, os.access(top / "a", os.X_OK), os.path.samefile(top / "a", top / "b"))
        descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        print(sorted(os.listdir(descriptor)), os.stat("a", dir_fd=descriptor).st_size)
        os.close(descriptor)
        errors(
            lambda: os.rmdir(top / "d"),
            lambda: os.mkdir(top / "a"),
            lambda: os.open(top / "none", os.O_RDONLY),
            lambda: os.open(top / "a", os.O_RDONLY | os.O_DIRECTORY),
            lambda: os.readlink(top / "a"),
            lambda: os.unlink(top / "d"),
            lambda: os.rename(top / "d", top / "d" / "e" / "x"),
        )


@step
def os_calls():
    with tempfile.TemporaryFile() as file:
        number = file.fileno()
        print(os.pwrite(number, b"0123456789", 5), os.pread(number, 4, 8), os.writev(number, [b"ab", b"c"]))
        print(os.preadv(number, [bytearray(2), bytearray(2)], 6), os.lseek(number, 0, os.SEEK_END))
        os.posix_fallocate(number, 0, 100)
        print(os.fstat(number).st_size, os.get_inheritable(number), os.get_blocking(number))
        print(os.copy_file_range(number, number, 5, 5, 50), os.pread(number, 5, 50))
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
    number = os.eventfd(3)
    print(os.eventfd_read(number), os.eventfd_write(number, 4), os.eventfd_read(number))
    os.close(number)
    with tempfile.TemporaryDirectory() as path:
        number = os.open(path, os.O_TMPFILE | os.O_RDWR)
        print(os.write(number, b"x"), os.fstat(number).st_nlink, os.listdir(path))
        os.close(number)
    print(os.sched_getaffinity(0) == set(range(os.cpu_count())), os.getpriority(os.PRIO_PROCESS, 0))
    print(os.umask(0o22), os.umask(0o22), len(os.urandom(100)), len(os.getrandom(33)))
    print(os.getgroups(), os.getresuid(), os.getresgid(), os.uname().sysname, os.uname().machine)
    print(resource.getrlimit(resource.RLIMIT_CORE)[1], resource.getrusage(resource.RUSAGE_SELF).ru_utime > 0)
    errors(lambda: os.fstat(999), lambda: os.dup2(999, 5), lambda: os.kill(2**22 - 1, 0), lambda: os.setpgid(0, 2**22 - 1))


@step
def subprocesses():
    run = functools.partial(subprocess.run, capture_output=True, text=True)
    print(run(["/bin/busybox", "echo", "a b"]).stdout, run(["/bin/busybox", "false"]).returncode)
    print(run("cat; echo $X >&2; exit 3", shell=True, input="in\n" * 3, env={"X": "y", "PATH": os.environ["PATH"]}))
    print(run([sys.executable, "-c", "import os; print(os.getppid() > 0, sorted(map(int, os.listdir('/proc/self/fd')))[:3])"]).stdout)
    child = subprocess.Popen(["/bin/busybox", "sleep", "100"], start_new_session=True)
    print(child.poll(), os.getpgid(child.pid) == child.pid, os.getsid(child.pid) == child.pid)
    os.killpg(child.pid, signal.SIGTERM)
    print(child.wait())
    with contextlib.suppress(subprocess.TimeoutExpired):
        run(["/bin/busybox", "sleep", "100"], timeout=0.2)
        print("not reached")
    a = subprocess.Popen(["/bin/busybox", "seq", "1000"], stdout=subprocess.PIPE)
    b = subprocess.Popen(["/bin/busybox", "tail", "-n", "2"], stdin=a.stdout, stdout=subprocess.PIPE)
    a.stdout.close()
    print(b.communicate()[0], a.wait())
    big = b"z" * 1_000_000
    print(subprocess.run(["/bin/busybox", "cat"], input=big, capture_output=True).stdout == big)
    errors(lambda: run(["/none"]), lambda: run(["/tmp"]), lambda: run(["/bin/busybox", "true"], cwd="/none"))
    pid = os.posix_spawn("/bin/busybox", ["busybox", "sh", "-c", "exit 5"], os.environ)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    print(os.waitid(os.P_PID, pid, os.WEXITED).si_status, os.system("exit 4") >> 8, os.popen("echo popen").read())


@step
def threads():
    total, lock = [0], threading.Lock()

    def add():
        for _ in range(500):
            with lock:
                total[0] += 1

    workers = [threading.Thread(target=add) for _ in range(20)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    print(total)
    barrier, order = threading.Barrier(5), queue.Queue()
    workers = [threading.Thread(target=lambda: order.put(barrier.wait())) for _ in range(5)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    print(sorted(order.get() for _ in range(5)))
    event = threading.Event()
    timer = threading.Timer(0.05, event.set)
    timer.start()
    print(event.wait(10), threading.Condition().acquire(timeout=1), lock.acquire(timeout=0.01) and lock.release())
    lock.acquire()
    print(lock.acquire(timeout=0.05))
    lock.release()
    with futures.ThreadPoolExecutor(8) as pool:
        print(sum(pool.map(lambda n: n * n, range(100))))
    local = threading.local()
    local.x = 1
    print(threading.current_thread().name, threading.active_count(), threading.get_native_id() == os.getpid())


@step
def signals():
    seen = []
    for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD, signal.SIGRTMIN):
        signal.signal(number, lambda number, _: seen.append(signal.Signals(number).name))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    while seen.count("SIGALRM") < 3:
        signal.pause()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(sorted(set(seen)))
    print(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGUSR1}))
    signal.raise_signal(signal.SIGUSR1)
    print(signal.sigpending(), signal.sigwait({signal.SIGUSR1}))
    print(signal.sigtimedwait({signal.SIGUSR2}, 0.01))
    os.kill(os.getpid(), signal.SIGUSR2)
    found = signal.sigwaitinfo({signal.SIGUSR2})
    print(found.si_signo, found.si_code, found.si_pid == os.getpid(), found.si_uid)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.pthread_kill(threading.get_ident(), signal.SIGRTMIN)
    print(os.read(reader, 10) == bytes([signal.SIGRTMIN]), seen[-1])
    signal.set_wakeup_fd(-1)
    os.close(reader), os.close(writer)
    signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
    signal.alarm(1)
    try:
        time.sleep(10)
    except ZeroDivisionError:
        print("interrupted")
    code = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGINT)"
    print(subprocess.run([sys.executable, "-c", code]).returncode)
    for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD, signal.SIGRTMIN):
        signal.signal(number, signal.SIG_DFL)


@step
def waiting_with_each_selector():
    for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
        with kind() as selector:
            pairs = [socket.socketpair() for _ in range(50)]
            for number, (ours, _) in enumerate(pairs):
                selector.register(ours, selectors.EVENT_READ, number)
            print(kind.__name__, selector.select(0))
            for number in (3, 14, 15):
                pairs[number][1].send(b"x")
            print(sorted(key.data for key, _ in selector.select(1)))
            pairs[3][1].close()
            pairs[14][0].recv(9)
            print(sorted((key.data, events) for key, events in selector.select(1)))
            selector.modify(pairs[0][0], selectors.EVENT_READ | selectors.EVENT_WRITE, 0)
            print(sorted((key.data, events) for key, events in selector.select(1)))
            started = time.monotonic()
            [selector.unregister(ours) for number, (ours, _) in enumerate(pairs) if number in (0, 3, 15)]
            print(selector.select(0.05), time.monotonic() - started >= 0.05)
            [end.close() for pair in pairs for end in pair]
    errors(lambda: select.select([999], [], [], 0), lambda: select.epoll().register(0x7FFF))
    poller = select.poll()
    poller.register(999, select.POLLIN)
    print(poller.poll(0))
    with tempfile.TemporaryFile() as file:
        errors(lambda: select.epoll().register(file))
        print(len(select.select([file], [file], [], 0)[0]))


@step
def sockets():
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()

    def echo():
        for _ in range(10):
            peer, _ = listener.accept()
            with peer:
                while data := peer.recv(65536):
                    peer.sendall(data)

    server = threading.Thread(target=echo)
    server.start()
    for number in range(10):
        with socket.create_connection(address, 10) as client:
            print(client.getpeername() == address)
            payload = random.Random(number).randbytes(10_000 * number + 1)
            sender = threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR)))
            sender.start()
            back = b"".join(iter(lambda: client.recv(10_000), b""))
            sender.join()
            print(len(back), back == payload)
    server.join()
    listener.close()
    errors(
        lambda: socket.create_connection(address, 1),
        lambda: socket.socket().getpeername(),
        lambda: socket.socket().sendall(b"x"),
        lambda: socket.socket().recv(1),
        lambda: socket.socket().bind(("1.2.3.4", 0)),
    )
    one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    one.bind(("127.0.0.1", 0)), two.connect(one.getsockname())
    print(two.send(b"datagram"), one.recvfrom(100)[0], two.send(b""), one.recv(100))
    one.settimeout(0.05)
    errors(lambda: one.recv(1))
    one.close()
    two.send(b"x")
    errors(lambda: two.send(b"x"))
    two.close()
    with tempfile.TemporaryDirectory() as path:
        listener = socket.create_server(os.path.join(path, "socket"), family=socket.AF_UNIX)
        client = socket.socket(socket.AF_UNIX)
        client.connect(listener.getsockname())
        peer, name = listener.accept()
        reader, writer = os.pipe()
        socket.send_fds(client, [b"take"], [writer])
        data, descriptors, *_ = socket.recv_fds(peer, 10, 4)
        print(data, len(descriptors), os.write(descriptors[0], b"by message"), os.read(reader, 99), name)
        print(struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:])
        [os.close(number) for number in (reader, writer, *descriptors)]
        [end.close() for end in (listener, client, peer)]
    print(socket.gethostbyname("127.0.0.1"), socket.inet_pton(socket.AF_INET, "1.2.3.4"), socket.getaddrinfo("127.0.0.1", 80)[0])
    with tempfile.TemporaryFile() as file:
        file.write(b"s" * 100_000), file.seek(0)
        one, two = socket.socketpair()
        sender = threading.Thread(target=lambda: (one.sendfile(file), one.close()))
        sender.start()
        print(sum(map(len, iter(lambda: two.recv(5000), b""))))
        sender.join(), two.close()


@step
def coroutines():
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def visit(port, number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for count in range(5):
            writer.write(f"visitor {number} line {count}\n".encode())
            assert await reader.readline() == f"VISITOR {number} LINE {count}\n".encode()
        writer.close()
        await writer.wait_closed()
        return number

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        print(sum(await asyncio.gather(*(visit(port, number) for number in range(40)))))
        server.close()
        child = await asyncio.create_subprocess_exec("/bin/busybox", "cat", stdin=-1, stdout=-1)
        print(await child.communicate(b"through a child"), child.returncode)
        child = await asyncio.create_subprocess_shell("sleep 100")
        child.terminate()
        print(await child.wait())
        try:
            await asyncio.wait_for(asyncio.sleep(100), 0.05)
        except asyncio.TimeoutError:
            print("timeout")
        seen = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, seen.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(seen.wait(), 5)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
        print(await asyncio.to_thread(lambda: threading.current_thread() is not threading.main_thread()))
        results = asyncio.Queue()
        for number in (3, 1, 2):
            asyncio.get_running_loop().call_later(number / 50, results.put_nowait, number)
        print([await results.get() for _ in range(3)])

    asyncio.run(main())


def square(number):
    return number * number


def count(shared, lock):
    for _ in range(200):
        with lock:
            shared.value += 1


@step
def processes():
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(10)))
        one, two = context.Pipe()
        child = context.Process(target=two.send, args=([1, "two", b"3"],))
        child.start()
        print(one.recv(), child.join(), child.exitcode)
    context = multiprocessing.get_context("fork")
    shared, lock = context.Value("i", 0, lock=False), context.Lock()
    children = [context.Process(target=count, args=(shared, lock)) for _ in range(4)]
    [child.start() for child in children]
    [child.join() for child in children]
    print(shared.value)
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=10_000)
    child = context.Process(target=lambda: block.buf.__setitem__(slice(0, 5), b"hello"))
    child.start(), child.join()
    print(bytes(block.buf[:5]), block.size)
    block.close(), block.unlink()
    with futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(square, range(5))))
    messages = context.Queue()
    child = context.Process(target=lambda: [messages.put(number) for number in range(100)])
    child.start()
    print(sum(messages.get() for _ in range(100)), child.join())


@step
def maps():
    with tempfile.TemporaryFile() as file:
        file.truncate(3 * mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), 0) as shared, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE) as private:
            shared[:5] = b"first"
            private[5:10] = b"there"
            print(shared[:10], private[:10], os.pread(file.fileno(), 10, 0), shared.find(b"t"), shared.flush())
            shared.resize(5 * mmap.PAGESIZE)
            print(len(shared), os.fstat(file.fileno()).st_size)
            shared.madvise(mmap.MADV_DONTNEED)
            print(shared[:5])
    with mmap.mmap(-1, 100_000) as anonymous:
        if os.fork() == 0:
            anonymous[99_990:] = b"from child"
            os._exit(0)
        os.wait()
        print(anonymous[99_990:])
    errors(lambda: mmap.mmap(999, 10))


@step
def databases():
    with tempfile.TemporaryDirectory() as path:
        name = os.path.join(path, "data")
        for mode in ("delete", "truncate", "wal"):
            with contextlib.closing(sqlite3.connect(name)) as base:
                print(base.execute(f"pragma journal_mode = {mode}").fetchone())
                base.execute("create table if not exists t (a integer primary key, b text)")
                with base:
                    base.executemany("insert into t (b) values (?)", ((str(n) * n,) for n in range(200)))
                with contextlib.closing(sqlite3.connect(name, timeout=0.1)) as other:
                    base.execute("begin immediate")
                    base.execute("delete from t where a % 3 = 0")
                    try:
                        other.execute("insert into t (b) values ('x')")
                    except sqlite3.OperationalError as error:
                        print(error)
                    base.rollback()
                print(base.execute("select count(*), sum(length(b)) from t").fetchone())
                print(base.execute("pragma integrity_check").fetchone())
        print(sorted(os.listdir(path)))


@step
def terminals():
    master, slave = pty.openpty()
    os.write(master, b"typed\n")
    print(os.read(slave, 100), os.isatty(slave), os.read(master, 100))
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 10, 20, 0, 0))
    print(os.get_terminal_size(master), len(termios.tcgetattr(slave)))
    os.close(slave)
    errors(lambda: os.read(master, 1))
    os.close(master)
    pid, master = pty.fork()
    if pid == 0:
        os.execv("/bin/busybox", ["busybox", "sh", "-c", "test -t 0 && stty size && read x && echo got $x"])
    os.write(master, b"line\n")
    said = b""
    with contextlib.suppress(OSError):
        while data := os.read(master, 100):
            said += data
    # The echo may come before the size or after it.
    print(sorted(said.split()), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os.close(master)


@step
def the_rest():
    print(hashlib.sha256(open(sys.executable, "rb").read()).hexdigest() == hashlib.sha256(pathlib.Path("/proc/self/exe").read_bytes()).hexdigest())
    with tempfile.TemporaryDirectory() as path:
        name = os.path.join(path, "zip")
        with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(__file__, "script.py")
        print(zipfile.ZipFile(name).testzip(), zipfile.ZipFile(name).read("script.py") == open(__file__, "rb").read())
    libc = ctypes.CDLL(None, use_errno=True)
    print(libc.getpid() == os.getpid(), libc.close(999), errno.errorcode[ctypes.get_errno()])
    print(time.clock_getres(time.CLOCK_MONOTONIC), time.time() > 1_700_000_000, time.process_time() > 0)
    print(len(json.dumps({str(n): n for n in range(10_000)})), gc.collect() >= 0, sys.getfilesystemencoding())
    print(sys.version_info[:2], os.path.realpath("/proc/self") == f"/proc/{os.getpid()}", os.getcwd())


if __name__ == "__main__":
    for function in STEPS:
        print("==", function.__name__, flush=True)
        started = time.monotonic()
        try:
            function()
        except BaseException:
            print(traceback.format_exc(limit=-3))
        if "-t" in sys.argv:
            print(f"{function.__name__} {time.monotonic() - started:.2f}", file=sys.stderr)
        sys.stdout.flush()
