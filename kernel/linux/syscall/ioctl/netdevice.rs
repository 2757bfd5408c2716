//! netdevice(7): requests about network interfaces.
//!
//! Interfaces are configured on the kernel's command line. Setting a value that is already set succeeds; changes are
//! refused.
//! Source: Linux 6.1 net/core/dev_ioctl.c, net/ipv4/devinet.c (`devinet_ioctl`, `inet_gifconf`).

use rules::abi::errno::Errno;
use rules::linux::capability::Capability;
use rules::net::abi::netdevice::{
    InterfaceRequest, SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFCONF, SIOCGIFDSTADDR, SIOCGIFFLAGS, SIOCGIFHWADDR,
    SIOCGIFINDEX, SIOCGIFMAP, SIOCGIFMETRIC, SIOCGIFMTU, SIOCGIFNAME, SIOCGIFNETMASK, SIOCGIFTXQLEN,
    SIOCSIFADDR, SIOCSIFFLAGS, SIOCSIFNETMASK,
};
use rules::net::abi::socket::family;

use super::super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::machine::memory::user::UserPtr;
use crate::net::{file, interface};

/// Returns whether `request` is one of them.
pub(super) fn is_one(request: u32) -> bool {
    is_about_addresses(request)
        || matches!(
            request,
            SIOCGIFNAME
                | SIOCGIFCONF
                | SIOCGIFFLAGS
                | SIOCSIFFLAGS
                | SIOCGIFMETRIC
                | SIOCGIFMTU
                | SIOCGIFHWADDR
                | SIOCGIFINDEX
                | SIOCGIFTXQLEN
                | SIOCGIFMAP
        )
}

/// Returns whether only internet sockets support the request.
const fn is_about_addresses(request: u32) -> bool {
    matches!(
        request,
        SIOCGIFADDR | SIOCSIFADDR | SIOCGIFDSTADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK | SIOCSIFNETMASK
    )
}

/// Performs `request` with the `struct ifreq` or `struct ifconf` at `argument`.
///
/// # Errors
/// `ENOTTY`: not a socket, or of a family without the request. `ENODEV`: no such interface. `EPERM`: the caller is not
/// root. `EOPNOTSUPP`: the value cannot be changed. `EINVAL`: not an internet address. `EFAULT`.
pub(super) fn serve(cx: &Context<'_>, file: &OpenFile, request: u32, argument: usize) -> SysResult {
    let socket_type = file::socket(file).map_err(|_| Errno::ENOTTY)?.socket_type();
    if is_about_addresses(request) && socket_type.family != family::AF_INET {
        return Err(Errno::ENOTTY);
    }
    if request == SIOCGIFCONF {
        return list(cx, argument);
    }
    let place = UserPtr::<[u8; InterfaceRequest::SIZE]>::new(cx.space(), argument);
    let mut asked = InterfaceRequest(place.read()?);
    if request == SIOCGIFNAME {
        let number = asked.number();
        let found = interface::all().find(|interface| interface.index == number).ok_or(Errno::ENODEV)?;
        asked.set_name(found.name);
        return place.write(&asked.0).map(|()| 0);
    }
    let sets = matches!(request, SIOCSIFFLAGS | SIOCSIFADDR | SIOCSIFNETMASK);
    if sets && !cx.credentials().can(Capability::NET_ADMIN) {
        return Err(Errno::EPERM);
    }
    let found = interface::all().find(|interface| interface.name.as_bytes() == asked.name());
    let found = found.ok_or(Errno::ENODEV)?;
    if sets {
        return if found.is_as(request, &asked)? { Ok(0) } else { Err(Errno::EOPNOTSUPP) };
    }
    found.tell(request, &mut asked)?;
    place.write(&asked.0).map(|()| 0)
}

/// Writes as many whole entries as fit, and their size; without a buffer, only the size of all entries.
fn list(cx: &Context<'_>, argument: usize) -> SysResult {
    let length = UserPtr::<i32>::new(cx.space(), argument);
    let room = length.read()?;
    let buffer = UserPtr::<usize>::new(cx.space(), argument.wrapping_add(size_of::<usize>())).read()?;
    let count = if buffer == 0 {
        interface::all().count()
    } else {
        let fits = usize::try_from(room).unwrap_or(0) / InterfaceRequest::SIZE;
        let entries = UserPtr::<[u8; InterfaceRequest::SIZE]>::new(cx.space(), buffer);
        let mut count = 0;
        for interface in interface::all().take(fits) {
            let mut entry = InterfaceRequest([0; InterfaceRequest::SIZE]);
            entry.set_name(interface.name);
            entry.set_address(interface.address);
            entries.at(count).write(&entry.0)?;
            count += 1;
        }
        count
    };
    length.write(&((count * InterfaceRequest::SIZE) as i32)).map(|()| 0)
}
