//! proc(5), `/proc/PID/oom_score_adj`: who ends when memory does. The tests take all memory, so they run one after the
//! other, and apart from others.

use pollux_tests::{child, fd, sys};

/// Maps all free memory and `more` bytes, and returns the range.
fn map_all(more: usize) -> (usize, usize) {
    // SAFETY: `sysinfo` is plain data.
    let mut info: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the information is ours.
    assert_eq!(unsafe { libc::sysinfo(&mut info) }, 0);
    let len = (info.freeram as usize * info.mem_unit as usize + more) & !4095;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: the kernel chooses the address.
    let at = unsafe {
        libc::mmap(core::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
    };
    assert_ne!(at, libc::MAP_FAILED);
    (at.addr(), len)
}

fn touch(start: usize, len: usize) {
    for page in (start..start + len).step_by(4096) {
        // SAFETY: the page is mapped for writing, and nobody else's.
        unsafe { core::ptr::with_exposed_provenance_mut::<u8>(page).write_volatile(1) };
    }
}

/// A child that holds all memory and sleeps, and one of another user that touches 16 MiB then.
fn shortage() -> [child::Status; 2] {
    let (filled, report) = fd::pipe();
    let large = child::spawn(|| {
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_setresuid, [1000; 3]) }.unwrap();
        let (start, len) = map_all(0);
        // SAFETY: the range is ours. Some kernels end the process here.
        unsafe {
            libc::madvise(
                core::ptr::with_exposed_provenance_mut(start),
                len,
                libc::MADV_POPULATE_WRITE,
            )
        };
        report.write(b"x").unwrap();
        drop(report);
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    });
    // Empty, if the child has ended.
    let _ = filled.read(1);
    let small = child::spawn(|| {
        let (start, _) = map_all(64 << 20);
        touch(start, 16 << 20);
    });
    [small.wait(), large.wait()]
}

#[test]
fn who_holds_most_ends_and_not_who_asks() {
    assert_eq!(shortage(), [child::Status::Exited(0), child::Status::Killed(libc::SIGKILL)]);
    // A process that touches everything ends alone.
    let status = child::status(|| {
        let (start, len) = map_all(256 << 20);
        touch(start, len);
    });
    assert_eq!(status, child::Status::Killed(libc::SIGKILL));
}
