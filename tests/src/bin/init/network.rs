//! The loopback interface, which Linux leaves to programs to bring up.

use std::{mem, os::fd::FromRawFd, os::fd::OwnedFd};

/// Brings `lo` up. Elsewhere it always is: a kernel that knows no such request says so, and nothing is lost.
pub(crate) fn raise_loopback() {
    // SAFETY: no memory is involved.
    let number = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if number < 0 {
        return;
    }
    // SAFETY: the descriptor is new and nobody else's.
    let control = unsafe { OwnedFd::from_raw_fd(number) };
    // SAFETY: zero is a valid request.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is ours.
    unsafe { libc::ioctl(number, libc::SIOCSIFFLAGS, &raw mut request) };
    drop(control);
}
