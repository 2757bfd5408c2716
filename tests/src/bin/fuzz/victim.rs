//! A process that makes random calls.

use std::ffi::CString;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use libc::{O_NONBLOCK, O_RDWR, RLIMIT_AS, RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NOFILE};
use pollux_tests::random::Random;
use pollux_tests::{child, fd, limit, signal, sys};

use crate::arguments;
use crate::calls::{self, Rights};
use crate::scratch::Scratch;
use crate::supervisor::{PLAYGROUND, SUCCESSES};

/// The number of calls of a thread, after which its process ends by itself.
const CALLS: usize = 3000;

/// The number of calls of a child of a victim.
const CHILDS_CALLS: usize = 20;

/// The interval of a signal that ends every sleep, unless the victim has blocked it.
const TICK: Duration = Duration::from_millis(2);

/// The counters of calls, in memory that the supervisor shares.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) made: &'static AtomicU64,
    /// A bit for each number that succeeded.
    pub(crate) succeeded: &'static [AtomicU64; SUCCESSES],
}

impl Tally {
    fn note<T>(self, number: libc::c_long, result: &sys::Result<T>) {
        self.made.fetch_add(1, Ordering::Relaxed);
        let word = usize::try_from(number / 64).ok().and_then(|word| self.succeeded.get(word));
        if let (Some(word), true) = (word, result.is_ok()) {
            word.fetch_or(1 << (number % 64), Ordering::Relaxed);
        }
    }
}

/// Returns the directory of the victim with this seed.
pub(crate) fn directory(seed: u64) -> String {
    format!("{PLAYGROUND}/{seed}")
}

/// Makes calls until one of them ends the process or all are made.
pub(crate) fn run(seed: u64, tally: Tally) {
    let mut random = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let rights = if random.chance(1, 4) { Rights::Root } else { Rights::Nobody };
    let threads = 1 + random.below(3);
    isolate(seed, rights);
    let port = 2000 + (seed % 10_000) as u16 * 4;
    open_files(port);
    signal::count(libc::SIGALRM, 0);
    signal::alarm_every(TICK, TICK);
    for _ in 1..threads {
        let seed = random.next_u64();
        thread::spawn(move || Caller::new(seed, rights, port, tally).call(CALLS));
    }
    Caller::new(random.next_u64(), rights, port, tally).call(CALLS);
}

/// Drops the parent's files and, usually, root's rights.
fn isolate(seed: u64, rights: Rights) {
    signal::default(libc::SIGSEGV);
    signal::default(libc::SIGBUS);
    let null = fd::open("/dev/null", O_RDWR, 0).expect("/dev/null");
    for number in 0..3 {
        fd::dup2(null.number(), number).expect("a standard descriptor");
    }
    limit::lower(RLIMIT_CORE, 0);
    limit::lower(RLIMIT_AS, 256 << 20);
    limit::lower(RLIMIT_FSIZE, 1 << 20);
    limit::lower(RLIMIT_NOFILE, 64);
    let path = directory(seed);
    fs::create_dir_all(&path).expect("a directory");
    let name = CString::new(path).expect("no NUL byte");
    // A user ID of its own, so that it cannot signal other victims.
    let user = 10_000 + (seed % 50_000) as u32;
    // SAFETY: the name lives on; the rest are numbers.
    unsafe {
        libc::setsid();
        libc::chdir(name.as_ptr());
        if let Rights::Nobody = rights {
            libc::chown(name.as_ptr(), user, user);
            assert_eq!(libc::setgid(user), 0);
            assert_eq!(libc::setuid(user), 0);
        }
    }
}

/// Opens files of all kinds, so that small descriptor numbers are valid. It never closes them.
fn open_files(port: u16) {
    use libc::{AF_INET, AF_UNIX, CLOCK_MONOTONIC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM};
    let pipe = fd::pipe2(O_NONBLOCK);
    let blocking = fd::pipe();
    let event = fd::eventfd(1, libc::EFD_NONBLOCK);
    std::mem::forget((pipe, blocking, event));
    let mut pair = [0_i32; 2];
    // SAFETY: the names are C strings, the pair is ours, the rest are numbers. What fails is not there.
    unsafe {
        libc::open(c"file".as_ptr(), O_RDWR | libc::O_CREAT, 0o666);
        libc::open(c".".as_ptr(), libc::O_DIRECTORY);
        libc::open(c"/dev/zero".as_ptr(), O_RDWR);
        libc::timerfd_create(CLOCK_MONOTONIC, libc::TFD_NONBLOCK);
        libc::epoll_create1(0);
        libc::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        libc::socket(AF_INET, SOCK_DGRAM, 0);
        libc::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.as_mut_ptr());
        let listener = libc::socket(AF_INET, SOCK_STREAM, 0);
        let address = libc::sockaddr_in {
            sin_family: AF_INET as u16,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: 0 },
            sin_zero: [0; 8],
        };
        libc::bind(listener, (&raw const address).cast(), size_of_val(&address) as u32);
        libc::listen(listener, 2);
    }
}

/// A thread that makes calls.
struct Caller {
    random: Random,
    rights: Rights,
    tally: Tally,
    scratch: Scratch,
}

impl Caller {
    fn new(seed: u64, rights: Rights, port: u16, tally: Tally) -> Self {
        Self { random: Random::new(seed), rights, tally, scratch: Scratch::new(rights, port) }
    }

    fn call(&mut self, count: usize) {
        for _ in 0..count {
            let call = calls::pick(&mut self.random, self.rights);
            let values = arguments::fill(&mut self.random, &call, &self.scratch, self.rights);
            // SAFETY: the kernel may overwrite anything here, which is the point; a broken victim ends.
            let result = unsafe { sys::call(call.number, values) };
            self.tally.note(call.number, &result);
            if call.makes_processes() && result == Ok(0) {
                self.be_a_child();
            }
        }
    }

    /// Makes a few more calls and exits, in a forked child.
    fn be_a_child(&mut self) -> ! {
        signal::alarm_every(TICK, TICK);
        for _ in 0..CHILDS_CALLS {
            let call = calls::pick(&mut self.random, self.rights);
            let values = arguments::fill(&mut self.random, &call, &self.scratch, self.rights);
            if !call.makes_processes() {
                // SAFETY: as above.
                let _ = unsafe { sys::call(call.number, values) };
            }
        }
        child::exit(0)
    }
}
