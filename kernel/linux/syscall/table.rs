//! The table of system calls: maps numbers to functions.
//!
//! Source: Linux 6.1 arch/x86/entry/syscalls/syscall_64.tbl.

use core::sync::atomic::{AtomicU64, Ordering};

use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use syscalls::Sysno;

use super::context::{Caller, Context, SysResult};
use super::identity::{IdChange, Kind};
use super::xattr::XattrTarget;
use super::{
    access, capget, chdir, chmod, chown, clone, copy_file_range, execve, exit, fallocate, fcntl, flock,
    futex, getdents, getpriority, getrandom, getrusage, identity, inotify_add_watch, ioctl, kill, limits,
    link, lseek, memfd_create, memory, mkdir, mknod, mlock, mount, open, pidfd_open, prctl, readlink, rename,
    sched, sched_setscheduler, sendfile, session, setitimer, signal, sigtimedwait, socket, socketpair,
    splice, stat, statfs, symlink, sync, system, terminal_read, time, timer_create, truncate, unlink,
    utimensat, wait, writev, xattr,
};
use crate::core::syscall::buffers::Buffers;
use crate::core::syscall::epoll::EventsBuffer;
use crate::core::syscall::mask::MaskArgument;
use crate::core::syscall::{close, dup, epoll, eventfd, pipe, poll, read, select, signalfd, timerfd, write};
use crate::linux::task::uname;
use crate::machine::console::println;
use crate::machine::memory::pages::Mappable;
use crate::net::syscall::socket::{Room, Span};
use crate::net::syscall::{
    accept, bind, connect, getsockname, getsockopt, listen, recv, send, sendmmsg, shutdown,
};

/// Numbers below this are in use on Linux 6.1.
const NUMBERS: usize = 451;

/// Performs a system call.
///
/// # Errors
/// The system call's own; `ENOSYS` for one that is not implemented.
// Inlined into its only caller: as a separate function it saves and restores every register even for the shortest
// call.
#[inline(always)]
pub(super) fn call(cx: &mut Context<'_>, number: usize, a: [usize; 6]) -> SysResult {
    // As two of hundreds of equal cases these would be rare, and LLVM inlines little into what is rare.
    if number < 2 {
        match number {
            0 => terminal_read::read(cx, fd(a[0]), a[1], a[2]),
            _ => write::write(cx, fd(a[0]), a[1], a[2]),
        }
    } else {
        call_other(cx, number, a)
    }
}

/// Performs any system call but read(2) and write(2).
#[inline(always)]
fn call_other(cx: &mut Context<'_>, number: usize, a: [usize; 6]) -> SysResult {
    match number {
        2 => open::open(cx, a[0], a[1] as u32, a[2] as u32),
        3 => close::close(cx, fd(a[0])),
        4 => stat::stat(cx, a[0], a[1]),
        5 => stat::fstat(cx, fd(a[0]), a[1]),
        6 => stat::lstat(cx, a[0], a[1]),
        7 => poll::poll(cx, a[0], a[1] as u32, a[2] as i32),
        8 => lseek::lseek(cx, fd(a[0]), a[1].cast_signed() as i64, a[2] as u32),
        9 => {
            let (prot, flags, offset) = (a[2] as u32, a[3] as u32, a[5] as u64);
            let may_lock = |len| mlock::check_mapping(cx, flags, len);
            let arguments = memory::MapArguments { addr: a[0], len: a[1], prot, flags, offset };
            memory::mmap(cx.space(), arguments, || mappable(cx, a[4]), may_lock)
        }
        10 => memory::mprotect(cx.space(), a[0], a[1], a[2] as u32),
        11 => memory::munmap(cx.space(), a[0], a[1]),
        12 => mlock::brk(cx, a[0]),
        13 => signal::rt_sigaction(cx, a[0], a[1], a[2], a[3]),
        14 => signal::rt_sigprocmask(cx, a[0], a[1], a[2], a[3]),
        15 => signal::rt_sigreturn(cx),
        16 => ioctl::ioctl(cx, fd(a[0]), a[1] as u32, a[2]),
        17 => read::pread64(cx, fd(a[0]), a[1], a[2], a[3].cast_signed() as i64),
        18 => write::pwrite64(cx, fd(a[0]), a[1], a[2], a[3].cast_signed() as i64),
        19 => terminal_read::readv(cx, fd(a[0]), a[1], a[2]),
        20 => writev::writev(cx, fd(a[0]), a[1], a[2]),
        21 => access::access(cx, a[0], a[1] as u32),
        22 => pipe::pipe(cx, a[0]),
        23 => select::select(cx, a[0] as i32, [a[1], a[2], a[3]], a[4]),
        24 => sched::sched_yield(),
        25 => memory::mremap(cx.space(), a[0], a[1], a[2], a[3] as u32, a[4], |more| {
            mlock::check_more(cx, more)
        }),
        26 => memory::msync(cx.space(), a[0], a[1], a[2] as u32),
        27 => memory::mincore(cx.space(), a[0], a[1], a[2]),
        28 => memory::madvise(cx.space(), a[0], a[1], a[2] as i32),
        32 => dup::dup(cx, fd(a[0])),
        33 => dup::dup2(cx, fd(a[0]), fd(a[1])),
        34 => sigtimedwait::pause(cx),
        35 => time::nanosleep(cx, a[0], a[1]),
        36 => setitimer::getitimer(cx, a[0], a[1]),
        37 => setitimer::alarm(cx, a[0]),
        38 => setitimer::setitimer(cx, a[0], a[1], a[2]),
        39 => identity::getpid(cx),
        40 => sendfile::sendfile(cx, fd(a[0]), fd(a[1]), a[2], a[3]),
        41 => socket::socket(cx, a[0] as u32, a[1] as u32, a[2] as u32),
        42 => connect::connect(cx, fd(a[0]), address(a[1], a[2])),
        43 => accept::accept(cx, fd(a[0]), room(a[1], a[2])),
        44 => send::sendto(cx, fd(a[0]), span(a[1], a[2]), a[3] as u32, address(a[4], a[5])),
        45 => recv::recvfrom(cx, fd(a[0]), span(a[1], a[2]), a[3] as u32, room(a[4], a[5])),
        46 => send::sendmsg(cx, fd(a[0]), a[1], a[2] as u32),
        47 => recv::recvmsg(cx, fd(a[0]), a[1], a[2] as u32),
        48 => shutdown::shutdown(cx, fd(a[0]), a[1] as u32),
        49 => bind::bind(cx, fd(a[0]), address(a[1], a[2])),
        50 => listen::listen(cx, fd(a[0]), a[1] as i32),
        51 => getsockname::getsockname(cx, fd(a[0]), room(a[1], a[2])),
        52 => getsockname::getpeername(cx, fd(a[0]), room(a[1], a[2])),
        53 => socketpair::socketpair(cx, a[0] as u32, a[1] as u32, a[2] as u32, a[3]),
        54 => getsockopt::setsockopt(cx, fd(a[0]), a[1] as u32, a[2] as u32, address(a[3], a[4])),
        55 => getsockopt::getsockopt(cx, fd(a[0]), a[1] as u32, a[2] as u32, room(a[3], a[4])),
        56 => clone::clone(cx, [a[0], a[1], a[2], a[3], a[4]]),
        57 => clone::fork(cx),
        58 => clone::vfork(cx),
        59 => execve::execve(cx, a[0], a[1], a[2]),
        60 => exit::exit(cx, a[0]),
        61 => wait::wait4(cx, a[0], a[1], a[2], a[3]),
        62 => kill::kill(cx, a[0], a[1]),
        63 => system::uname(cx, a[0]),
        72 => fcntl::fcntl(cx, fd(a[0]), a[1] as u32, a[2]),
        73 => flock::flock(cx, fd(a[0]), a[1] as u32),
        74 | 75 => sync::fsync(cx, fd(a[0])),
        76 => truncate::truncate(cx, a[0], a[1].cast_signed() as i64),
        77 => truncate::ftruncate(cx, fd(a[0]), a[1].cast_signed() as i64),
        79 => chdir::getcwd(cx, a[0], a[1]),
        80 => chdir::chdir(cx, a[0]),
        81 => chdir::fchdir(cx, fd(a[0])),
        82 => rename::rename(cx, a[0], a[1]),
        83 => mkdir::mkdir(cx, a[0], a[1] as u32),
        84 => unlink::rmdir(cx, a[0]),
        85 => open::creat(cx, a[0], a[1] as u32),
        86 => link::link(cx, a[0], a[1]),
        87 => unlink::unlink(cx, a[0]),
        88 => symlink::symlink(cx, a[0], a[1]),
        89 => readlink::readlink(cx, a[0], a[1], a[2] as i32),
        90 => chmod::chmod(cx, a[0], a[1] as u32),
        91 => chmod::fchmod(cx, fd(a[0]), a[1] as u32),
        92 => chown::chown(cx, a[0], a[1] as u32, a[2] as u32),
        93 => chown::fchown(cx, fd(a[0]), a[1] as u32, a[2] as u32),
        94 => chown::lchown(cx, a[0], a[1] as u32, a[2] as u32),
        95 => chdir::umask(cx, a[0] as u32),
        96 => time::gettimeofday(cx, a[0], a[1]),
        97 => limits::prlimit(cx, 0, a[0], 0, a[1]),
        98 => getrusage::getrusage(cx, a[0], a[1]),
        99 => system::sysinfo(cx, a[0]),
        100 => getrusage::times(cx, a[0]),
        102 => identity::getuid(cx),
        104 => identity::getgid(cx),
        105 => identity::set_ids(cx, Kind::Users, IdChange::One(a[0])),
        106 => identity::set_ids(cx, Kind::Groups, IdChange::One(a[0])),
        107 => identity::geteuid(cx),
        108 => identity::getegid(cx),
        109 => session::setpgid(cx, a[0], a[1]),
        110 => identity::getppid(cx),
        111 => session::getpgid(cx, 0),
        112 => session::setsid(cx),
        113 => identity::set_ids(cx, Kind::Users, IdChange::Two(a[0], a[1])),
        114 => identity::set_ids(cx, Kind::Groups, IdChange::Two(a[0], a[1])),
        115 => identity::getgroups(cx, a[0] as i32, a[1]),
        116 => identity::setgroups(cx, a[0] as i32, a[1]),
        117 => identity::set_ids(cx, Kind::Users, IdChange::Three(a[0], a[1], a[2])),
        118 => identity::getres(cx, cx.credentials().users, [a[0], a[1], a[2]]),
        119 => identity::set_ids(cx, Kind::Groups, IdChange::Three(a[0], a[1], a[2])),
        120 => identity::getres(cx, cx.credentials().groups, [a[0], a[1], a[2]]),
        121 => session::getpgid(cx, a[0]),
        122 => identity::set_file_id(cx, Kind::Users, a[0]),
        123 => identity::set_file_id(cx, Kind::Groups, a[0]),
        124 => session::getsid(cx, a[0]),
        125 => capget::capget(cx, a[0], a[1]),
        126 => capget::capset(cx, a[0], a[1]),
        127 => signal::rt_sigpending(cx, a[0], a[1]),
        128 => sigtimedwait::rt_sigtimedwait(cx, a[0], a[1], a[2], a[3]),
        129 => kill::rt_sigqueueinfo(cx, a[0], a[1], a[2]),
        130 => sigtimedwait::rt_sigsuspend(cx, a[0], a[1]),
        131 => signal::sigaltstack(cx, a[0], a[1]),
        133 => mknod::mknod(cx, a[0], a[1] as u32, a[2] as u32),
        137 => statfs::statfs(cx, a[0], a[1]),
        138 => statfs::fstatfs(cx, fd(a[0]), a[1]),
        140 => getpriority::getpriority(cx, a[0], a[1]),
        141 => getpriority::setpriority(cx, a[0], a[1], a[2]),
        142 => sched_setscheduler::sched_setparam(cx, a[0], a[1]),
        143 => sched_setscheduler::sched_getparam(cx, a[0], a[1]),
        144 => sched_setscheduler::sched_setscheduler(cx, a[0], a[1], a[2]),
        145 => sched_setscheduler::sched_getscheduler(cx, a[0]),
        146 => sched_setscheduler::sched_get_priority(a[0], |(_, most)| most),
        147 => sched_setscheduler::sched_get_priority(a[0], |(least, _)| least),
        148 => sched_setscheduler::sched_rr_get_interval(cx, a[0], a[1]),
        149 => mlock::mlock(cx, a[0], a[1]),
        150 => mlock::munlock(cx, a[0], a[1]),
        151 => mlock::mlockall(cx, a[0] as u32),
        152 => mlock::munlockall(cx),
        157 => prctl::prctl(cx, a[0], [a[1], a[2], a[3], a[4]]),
        158 => system::arch_prctl(cx, a[0], a[1]),
        160 => limits::prlimit(cx, 0, a[0], a[1], 0),
        162 => sync::sync(),
        165 => mount::mount(cx, a[0], a[1], a[2], a[3] as u64, a[4]),
        166 => mount::umount2(cx, a[0], a[1] as u32),
        169 => system::reboot(cx, a[0], a[1], a[2]),
        170 => system::set_name(cx, &uname::HOST, a[0], a[1] as i32),
        171 => system::set_name(cx, &uname::DOMAIN, a[0], a[1] as i32),
        186 => identity::gettid(cx),
        188 => xattr::set(cx, &XattrTarget::Path(a[0]), a[1], a[3], a[4] as u32),
        189 => xattr::set(cx, &XattrTarget::Link(a[0]), a[1], a[3], a[4] as u32),
        190 => xattr::set(cx, &XattrTarget::Open(fd(a[0])), a[1], a[3], a[4] as u32),
        191 | 197 => xattr::named(cx, &XattrTarget::Path(a[0]), a[1]),
        192 | 198 => xattr::named(cx, &XattrTarget::Link(a[0]), a[1]),
        193 | 199 => xattr::named(cx, &XattrTarget::Open(fd(a[0])), a[1]),
        194 => xattr::list(cx, &XattrTarget::Path(a[0])),
        195 => xattr::list(cx, &XattrTarget::Link(a[0])),
        196 => xattr::list(cx, &XattrTarget::Open(fd(a[0]))),
        200 => kill::tkill(cx, a[0], a[1]),
        201 => time::time(cx, a[0]),
        202 => futex::futex(cx, a),
        203 => sched::sched_setaffinity(cx, a[0], a[1], a[2]),
        204 => sched::sched_getaffinity(cx, a[0], a[1], a[2]),
        213 => epoll::epoll_create(cx, a[0] as i32),
        217 => getdents::getdents64(cx, fd(a[0]), a[1], a[2] as u32),
        218 => identity::set_tid_address(cx, a[0]),
        222 => timer_create::timer_create(cx, a[0], a[1], a[2]),
        223 => timer_create::timer_settime(cx, a[0], a[1], a[2], a[3]),
        224 => timer_create::timer_gettime(cx, a[0], a[1]),
        225 => timer_create::timer_getoverrun(cx, a[0]),
        226 => timer_create::timer_delete(cx, a[0]),
        228 => time::clock_gettime(cx, a[0], a[1]),
        229 => time::clock_getres(cx, a[0], a[1]),
        230 => time::clock_nanosleep(cx, a[0], a[1], a[2], a[3]),
        231 => exit::exit_group(cx, a[0]),
        232 => epoll::epoll_wait(cx, events(a), a[3] as i32),
        233 => epoll::epoll_ctl(cx, a[0], a[1] as i32, a[2], a[3]),
        234 => kill::tgkill(cx, a[0], a[1], a[2]),
        247 => wait::waitid(cx, a[0], a[1], a[2], a[3], a[4]),
        257 => open::openat(cx, a[0] as i32, a[1], a[2] as u32, a[3] as u32),
        258 => mkdir::mkdirat(cx, a[0] as i32, a[1], a[2] as u32),
        259 => mknod::mknodat(cx, a[0] as i32, a[1], a[2] as u32, a[3] as u32),
        260 => chown::fchownat(cx, a[0] as i32, a[1], a[2] as u32, a[3] as u32, a[4] as u32),
        262 => stat::newfstatat(cx, a[0] as i32, a[1], a[2], a[3] as u32),
        263 => unlink::unlinkat(cx, a[0] as i32, a[1], a[2] as u32),
        264 => rename::renameat(cx, a[0] as i32, a[1], a[2] as i32, a[3]),
        265 => link::linkat(cx, a[0] as i32, a[1], a[2] as i32, a[3], a[4] as u32),
        266 => symlink::symlinkat(cx, a[0], a[1] as i32, a[2]),
        267 => readlink::readlinkat(cx, a[0] as i32, a[1], a[2], a[3] as i32),
        268 => chmod::fchmodat(cx, a[0] as i32, a[1], a[2] as u32),
        269 => access::faccessat(cx, a[0] as i32, a[1], a[2] as u32),
        270 => select::pselect6(cx, a[0] as i32, [a[1], a[2], a[3]], a[4], a[5]),
        271 => poll::ppoll(cx, a[0], a[1] as u32, a[2], MaskArgument { addr: a[3], size: a[4] }),
        273 => futex::set_robust_list(cx, a[0], a[1]),
        274 => futex::get_robust_list(cx, a[0], a[1], a[2]),
        275 => splice::splice(cx, (fd(a[0]), a[1]), (fd(a[2]), a[3]), a[4], a[5] as u32),
        276 => splice::tee(cx, fd(a[0]), fd(a[1]), a[2], a[3] as u32),
        278 => splice::vmsplice(cx, fd(a[0]), a[1], a[2], a[3] as u32),
        280 => utimensat::utimensat(cx, a[0] as i32, a[1], a[2], a[3] as u32),
        281 => epoll::epoll_pwait(cx, events(a), a[3] as i32, MaskArgument { addr: a[4], size: a[5] }),
        282 => signalfd::signalfd(cx, a[0] as i32, a[1], a[2]),
        283 => timerfd::timerfd_create(cx, a[0] as u32, a[1] as u32),
        284 => eventfd::eventfd(cx, a[0] as u32),
        285 => fallocate::fallocate(
            cx,
            fd(a[0]),
            a[1] as u32,
            a[2].cast_signed() as i64,
            a[3].cast_signed() as i64,
        ),
        286 => timerfd::timerfd_settime(cx, a[0], a[1] as u32, a[2], a[3]),
        287 => timerfd::timerfd_gettime(cx, a[0], a[1]),
        288 => accept::accept4(cx, fd(a[0]), room(a[1], a[2]), a[3] as u32),
        289 => signalfd::signalfd4(cx, a[0] as i32, a[1], a[2], a[3] as u32),
        290 => eventfd::eventfd2(cx, a[0] as u32, a[1] as u32),
        291 => epoll::epoll_create1(cx, a[0] as u32),
        253 => inotify_add_watch::inotify_init1(cx, 0),
        254 => inotify_add_watch::inotify_add_watch(cx, fd(a[0]), a[1], a[2] as u32),
        255 => inotify_add_watch::inotify_rm_watch(cx, fd(a[0]), a[1] as i32),
        292 => dup::dup3(cx, fd(a[0]), fd(a[1]), a[2] as u32),
        293 => pipe::pipe2(cx, a[0], a[1] as u32),
        294 => inotify_add_watch::inotify_init1(cx, a[0] as u32),
        295 => read::preadv(cx, fd(a[0]), a[1], a[2], a[3].cast_signed() as i64),
        296 => write::pwritev(cx, fd(a[0]), a[1], a[2], a[3].cast_signed() as i64),
        297 => kill::rt_tgsigqueueinfo(cx, a[0], a[1], a[2], a[3]),
        299 => sendmmsg::recvmmsg(cx, fd(a[0]), a[1], a[2] as u32, a[3] as u32, a[4]),
        302 => limits::prlimit(cx, a[0], a[1], a[2], a[3]),
        307 => sendmmsg::sendmmsg(cx, fd(a[0]), a[1], a[2] as u32, a[3] as u32),
        309 => sched::getcpu(cx, a[0], a[1]),
        306 => sync::syncfs(cx, fd(a[0])),
        314 => sched_setscheduler::sched_setattr(cx, a[0], a[1], a[2]),
        315 => sched_setscheduler::sched_getattr(cx, a[0], a[1], a[2], a[3]),
        316 => rename::renameat2(cx, a[0] as i32, a[1], a[2] as i32, a[3], a[4] as u32),
        318 => getrandom::getrandom(cx, a[0], a[1], a[2] as u32),
        319 => memfd_create::memfd_create(cx, a[0], a[1] as u32),
        324 => sched::membarrier(cx, a[0], a[1]),
        325 => mlock::mlock2(cx, a[0], a[1], a[2] as u32),
        326 => copy_file_range::copy_file_range(cx, (fd(a[0]), a[1]), (fd(a[2]), a[3]), a[4], a[5] as u32),
        327 => read::preadv2(cx, fd(a[0]), vector(a), a[3].cast_signed() as i64, a[5] as u32),
        328 => write::pwritev2(cx, fd(a[0]), vector(a), a[3].cast_signed() as i64, a[5] as u32),
        332 => stat::statx(cx, a[0] as i32, a[1], a[2] as u32, a[3] as u32, a[4]),
        // rseq(2): C libraries do without it, as on a Linux without `CONFIG_RSEQ`.
        334 => Err(Errno::ENOSYS),
        424 => pidfd_open::pidfd_send_signal(cx, a[0], a[1], a[2], a[3]),
        434 => pidfd_open::pidfd_open(cx, a[0], a[1] as u32),
        435 => clone::clone3(cx, a[0], a[1]),
        438 => pidfd_open::pidfd_getfd(cx, a[0], a[1], a[2] as u32),
        436 => close::close_range(cx, fd(a[0]), fd(a[1]), a[2] as u32),
        437 => open::openat2(cx, a[0] as i32, a[1], a[2], a[3]),
        439 => access::faccessat2(cx, a[0] as i32, a[1], a[2] as u32, a[3] as u32),
        441 => epoll::epoll_pwait2(cx, events(a), a[3], MaskArgument { addr: a[4], size: a[5] }),
        _ => {
            log_unknown(number);
            Err(Errno::ENOSYS)
        }
    }
}

/// Describes a range of the caller's memory.
const fn span(addr: usize, len: usize) -> Span {
    Span { addr, len }
}

/// Describes a buffer for an address or value whose length is read from and written to `len_addr`.
const fn room(addr: usize, len_addr: usize) -> Room {
    Room { addr, len_addr }
}

/// Describes a socket address or option value, whose length is an `int`.
const fn address(addr: usize, len: usize) -> Span {
    Span { addr, len: len as u32 as usize }
}

/// Returns the buffers that preadv2(2) and pwritev2(2) are given.
const fn vector(a: [usize; 6]) -> Buffers {
    Buffers::Vector { iov: a[1], count: a[2] }
}

/// Returns what epoll_wait(2) and its kin are given first.
const fn events(a: [usize; 6]) -> EventsBuffer {
    EventsBuffer { epfd: a[0], events: a[1], max: a[2] as i32 }
}

/// Converts a register to a descriptor: its upper half is ignored, and a negative number is beyond all tables.
fn fd(register: usize) -> Fd {
    Fd::new(register as u32)
}

/// Returns what mmap(2) needs to know of a file.
fn mappable(cx: &Context<'_>, register: usize) -> Result<Mappable, Errno> {
    let file = cx.file(register)?;
    let access = file.access();
    Ok(Mappable { pages: file.file().clone().pages(), readable: access.reads(), writable: access.writes() })
}

/// Logs the first use of each system call that is not implemented.
fn log_unknown(number: usize) {
    static SEEN: [AtomicU64; NUMBERS / 64 + 1] = [const { AtomicU64::new(0) }; NUMBERS / 64 + 1];
    if number >= NUMBERS {
        return;
    }
    let bit = 1 << (number % 64);
    if SEEN[number / 64].fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        let name = Sysno::new(number).map_or("", |name| name.name());
        println!("pollux: syscall {} {} is not there (ENOSYS)", number, name);
    }
}
