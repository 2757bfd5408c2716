//! Brings up the network interfaces, which Linux leaves to programs.
//!
//! On a kernel without these requests the calls fail, which does no harm: there the interfaces are up from the start.

use std::{
    ffi::c_int,
    fs,
    io::Error,
    mem,
    net::Ipv4Addr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// The directory of the network card's modules in the initramfs, in the order in which to load them.
const MODULES: &str = "/modules";

/// The address that QEMU's user network gives to its first guest.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// Brings `lo` up, and `eth0` if there are drivers for it.
pub(crate) fn raise() {
    // SAFETY: no memory is involved.
    let number = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if number < 0 {
        return;
    }
    // SAFETY: the descriptor is new and has no other owner.
    let control = Control(unsafe { OwnedFd::from_raw_fd(number) });
    // Ignore errors: without the interface or the request there is nothing to do.
    let _ = control.raise("lo");
    if load_modules()
        && let Err(error) = control.configure("eth0")
    {
        eprintln!("init: eth0: {error}");
    }
}

/// Loads the drivers. Returns whether there are any.
fn load_modules() -> bool {
    let Ok(directory) = fs::read_dir(MODULES) else { return false };
    let mut paths: Vec<_> = directory.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in &paths {
        let Ok(bytes) = fs::read(path) else { continue };
        // SAFETY: both pointers are to our bytes, of the given length; the second is an empty string.
        let result = unsafe {
            libc::syscall(libc::SYS_init_module, bytes.as_ptr(), bytes.len(), c"".as_ptr())
        };
        if result != 0 {
            eprintln!("init: {}: {}", path.display(), Error::last_os_error());
        }
    }
    !paths.is_empty()
}

/// A socket for requests to interfaces.
struct Control(OwnedFd);

impl Control {
    fn raise(&self, name: &str) -> Result<(), Error> {
        let mut request = request(name);
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        self.ask(libc::SIOCSIFFLAGS, &mut request)
    }

    fn configure(&self, name: &str) -> Result<(), Error> {
        for (what, ip) in [(libc::SIOCSIFADDR, ADDRESS), (libc::SIOCSIFNETMASK, MASK)] {
            let mut request = request(name);
            request.ifr_ifru.ifru_addr = address(ip);
            self.ask(what, &mut request)?;
        }
        self.raise(name)?;
        // SAFETY: zero is a valid route.
        let mut route: libc::rtentry = unsafe { mem::zeroed() };
        let everybody = Ipv4Addr::UNSPECIFIED;
        (route.rt_dst, route.rt_genmask, route.rt_gateway) =
            (address(everybody), address(everybody), address(GATEWAY));
        route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
        self.ask(libc::SIOCADDRT, &mut route)
    }

    fn ask<T>(&self, what: libc::c_ulong, argument: &mut T) -> Result<(), Error> {
        // SAFETY: the argument is ours, and of the request's type.
        let result: c_int =
            unsafe { libc::ioctl(self.0.as_raw_fd(), what as _, std::ptr::from_mut(argument)) };
        if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
    }
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: zero is a valid request.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = byte as libc::c_char;
    }
    request
}

fn address(ip: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, byte) in data[2..].iter_mut().zip(ip.octets()) {
        *to = byte as libc::c_char;
    }
    libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data }
}
