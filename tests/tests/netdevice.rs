//! netdevice(7): querying network interfaces through a socket.

use std::mem;
use std::net::Ipv4Addr;

use libc::{
    AF_INET, AF_UNIX, IFF_LOOPBACK, IFF_RUNNING, IFF_UP, SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFCONF,
    SIOCGIFDSTADDR, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFMTU, SIOCGIFNAME,
    SIOCGIFNETMASK, SIOCGIFTXQLEN, SIOCSIFADDR, SIOCSIFFLAGS, SOCK_STREAM, ifconf, ifreq,
};
use pollux_tests::socket::{Address, bind, name, send_to, socket, tcp, udp};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, Fd, child, fd, sys};

/// Makes a request about an interface.
fn about(name: &str) -> ifreq {
    // SAFETY: all-zero is a valid request.
    let mut request: ifreq = unsafe { mem::zeroed() };
    for (to, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = byte as _;
    }
    request
}

fn ask<T>(fd: &Fd, what: libc::c_ulong, argument: &mut T) -> Result<()> {
    let arguments = [fd.number() as usize, what as usize, core::ptr::from_mut(argument) as usize];
    // SAFETY: the argument is ours and of the request's type.
    unsafe { sys::call(libc::SYS_ioctl, arguments) }.map(drop)
}

fn address(request: &ifreq) -> (u16, Ipv4Addr) {
    // SAFETY: the answer is an address.
    let address = unsafe { request.ifr_ifru.ifru_addr };
    let [a, b, c, d] = [2, 3, 4, 5].map(|at| address.sa_data[at] as u8);
    (address.sa_family, Ipv4Addr::new(a, b, c, d))
}

fn flags(fd: &Fd) -> i32 {
    let mut request = about("lo");
    ask(fd, SIOCGIFFLAGS, &mut request).unwrap();
    // SAFETY: the answer is the flags.
    i32::from(unsafe { request.ifr_ifru.ifru_flags })
}

#[test]
fn the_loopback_has_its_address_mask_and_flags() {
    for fd in [udp(0), tcp(0)] {
        let own = (AF_INET as u16, Ipv4Addr::LOCALHOST);
        for (what, expected) in [
            (SIOCGIFADDR, own),
            (SIOCGIFDSTADDR, own),
            (SIOCGIFNETMASK, (AF_INET as u16, Ipv4Addr::new(255, 0, 0, 0))),
            (SIOCGIFBRDADDR, (AF_INET as u16, Ipv4Addr::UNSPECIFIED)),
        ] {
            let mut request = about("lo");
            ask(&fd, what, &mut request).unwrap();
            assert_eq!(address(&request), expected, "{what:#x}");
        }
        assert_eq!(flags(&fd), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
    }
}

#[test]
fn the_loopback_has_a_number_a_size_and_no_hardware() {
    let fd = udp(0);
    for (what, expected) in [(SIOCGIFINDEX, 1), (SIOCGIFMTU, 65536), (SIOCGIFTXQLEN, 1000)] {
        let mut request = about("lo");
        ask(&fd, what, &mut request).unwrap();
        // SAFETY: the answer is a number.
        assert_eq!(unsafe { request.ifr_ifru.ifru_ifindex }, expected, "{what:#x}");
    }
    let mut request = about("lo");
    ask(&fd, SIOCGIFHWADDR, &mut request).unwrap();
    // SAFETY: the answer is an address.
    let hardware = unsafe { request.ifr_ifru.ifru_hwaddr };
    assert_eq!((hardware.sa_family, &hardware.sa_data[..6]), (772, &[0; 6][..]));
    let mut request = about("");
    request.ifr_ifru.ifru_ifindex = 1;
    ask(&fd, SIOCGIFNAME, &mut request).unwrap();
    assert_eq!(request.ifr_name, about("lo").ifr_name);
    request.ifr_ifru.ifru_ifindex = 999;
    assert_eq!(ask(&fd, SIOCGIFNAME, &mut request), Err(Errno::ENODEV));
}

#[test]
fn all_interfaces_with_an_address_are_listed_as_far_as_there_is_room() {
    let fd = udp(0);
    let mut entries = [about("nothing"); 8];
    let mut list = ifconf {
        ifc_len: mem::size_of_val(&entries) as i32,
        ifc_ifcu: libc::__c_anonymous_ifc_ifcu { ifcu_req: entries.as_mut_ptr() },
    };
    ask(&fd, SIOCGIFCONF, &mut list).unwrap();
    let count = list.ifc_len as usize / size_of::<ifreq>();
    assert!(count >= 1 && (list.ifc_len as usize).is_multiple_of(size_of::<ifreq>()));
    assert_eq!(entries[0].ifr_name, about("lo").ifr_name);
    assert_eq!(address(&entries[0]), (AF_INET as u16, Ipv4Addr::LOCALHOST));
    assert_eq!(entries[count].ifr_name, about("nothing").ifr_name);
    let mut question = ifconf {
        ifc_len: 0,
        ifc_ifcu: libc::__c_anonymous_ifc_ifcu { ifcu_req: core::ptr::null_mut() },
    };
    ask(&fd, SIOCGIFCONF, &mut question).unwrap();
    assert_eq!(question.ifc_len as usize, count * size_of::<ifreq>());
    list.ifc_len = size_of::<ifreq>() as i32 - 1;
    ask(&fd, SIOCGIFCONF, &mut list).unwrap();
    assert_eq!(list.ifc_len, 0);
    assert_eq!(ask(&fd, SIOCGIFCONF, unsafe_reference()), Err(Errno::EFAULT));
}

/// An address where nothing is mapped.
fn unsafe_reference() -> &'static mut [u8; 0] {
    // SAFETY: a reference to nothing may be anywhere; only its address is used.
    unsafe { &mut *core::ptr::without_provenance_mut(8) }
}

#[test]
fn who_does_not_exist_has_nothing() {
    let fd = udp(0);
    for what in [SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFINDEX, SIOCGIFMTU] {
        assert_eq!(ask(&fd, what, &mut about("none")), Err(Errno::ENODEV), "{what:#x}");
        assert_eq!(ask(&fd, what, unsafe_reference()), Err(Errno::EFAULT));
    }
}

#[test]
fn a_local_socket_knows_interfaces_and_no_addresses() {
    let fd = socket(AF_UNIX, SOCK_STREAM, 0).unwrap();
    assert_eq!(flags(&fd) & IFF_UP, IFF_UP);
    assert_eq!(ask(&fd, SIOCGIFADDR, &mut about("lo")), Err(Errno::ENOTTY));
    let (reader, _writer) = fd::pipe2(0).unwrap();
    assert_eq!(ask(&reader, SIOCGIFFLAGS, &mut about("lo")), Err(Errno::ENOTTY));
}

#[test]
fn what_is_so_already_can_be_set_by_root_alone() {
    let fd = udp(0);
    let mut request = about("lo");
    request.ifr_ifru.ifru_flags = (IFF_UP | IFF_RUNNING) as _;
    ask(&fd, SIOCSIFFLAGS, &mut request).unwrap();
    let mut request = about("lo");
    ask(&fd, SIOCGIFADDR, &mut request).unwrap();
    ask(&fd, SIOCSIFADDR, &mut request).unwrap();
    assert_eq!(ask(&fd, SIOCSIFFLAGS, &mut about("none")), Err(Errno::ENODEV));
    child::run(move || {
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_setresuid, [1000; 3]) }.unwrap();
        assert_eq!(ask(&fd, SIOCSIFADDR, &mut request), Err(Errno::EPERM));
        let mut request = about("lo");
        request.ifr_ifru.ifru_flags = IFF_UP as _;
        assert_eq!(ask(&fd, SIOCSIFFLAGS, &mut request), Err(Errno::EPERM));
        assert_eq!(flags(&fd) & IFF_UP, IFF_UP);
    });
}

/// Returns the bytes and packets that `lo` has received and sent: proc(5), /proc/net/dev.
fn traffic() -> [u64; 4] {
    let text = std::fs::read_to_string("/proc/net/dev").unwrap();
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("lo:")).expect("lo");
    let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 16, "{line}");
    [0, 1, 8, 9].map(|column| numbers[column])
}

#[test]
fn what_goes_over_the_loopback_is_counted_in_both_directions() {
    let (sender, receiver) = (udp(0), udp(0));
    bind(&receiver, &Address::local(0)).unwrap();
    let address = name(&receiver).unwrap();
    let before = traffic();
    for _ in 0..10 {
        send_to(&sender, &[7; 100], &address).unwrap();
    }
    let after = traffic();
    assert_eq!((after[0], after[1]), (after[2], after[3]), "what goes out comes in");
    assert!((10..20).contains(&(after[1] - before[1])), "packets: {before:?}, {after:?}");
    assert!((1280..2560).contains(&(after[0] - before[0])), "bytes: {before:?}, {after:?}");
}
