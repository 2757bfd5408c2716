//! PCI configuration space through ports 0xcf8 and 0xcfc, and MSI-X.
//!
//! Source: PCI Local Bus Specification 3.0, sections 3.2.2.3.2 and 6.8.2.

use ostd::arch::device::io_port::ReadWriteAccess;
use ostd::io::{IoMem, IoPort};
use ostd::irq::IrqLine;
use ostd::mm::VmIoOnce;
use rules::net::pci::{Config, Function};

/// The ID of the MSI-X capability.
const MSI_X: u8 = 0x11;

/// The enable bit of that capability.
const ENABLE: u32 = 1 << 31;

/// The bytes of an entry of the MSI-X table.
const ENTRY: u64 = 16;

/// The message address of the first processor's local APIC.
const APIC: u32 = 0xfee0_0000;

/// The two ports.
pub(super) struct Ports {
    address: IoPort<u32, ReadWriteAccess>,
    data: IoPort<u32, ReadWriteAccess>,
}

impl Ports {
    /// Acquires the ports. Only one task does, at the start: the address port is state that all accesses share.
    pub(super) fn open() -> Option<Self> {
        Some(Self {
            address: IoPort::acquire_overlapping(0xcf8).ok()?,
            data: IoPort::acquire_overlapping(0xcfc).ok()?,
        })
    }
}

impl Config for Ports {
    fn read(&self, function: Function, offset: u8) -> u32 {
        self.address.write(function.port_address(offset));
        self.data.read()
    }

    fn write(&self, function: Function, offset: u8, value: u32) {
        self.address.write(function.port_address(offset));
        self.data.write(value);
    }
}

/// Points entry 0 of the function's MSI-X table to `line`. `None`: it has no MSI-X.
pub(super) fn connect(function: Function, config: &Ports, line: &IrqLine) -> Option<()> {
    if line.remapping_index().is_some() {
        return None;
    }
    let capability = function.capabilities(config).into_iter().find(|capability| capability.id == MSI_X)?;
    let table = config.read(function, capability.offset + 4);
    let base = function.memory(config, (table & 7) as u8)?.checked_add(u64::from(table & !7))?;
    let entry = IoMem::acquire(base as usize..base.checked_add(ENTRY)? as usize).ok()?;
    for (offset, word) in [(0, APIC), (4, 0), (8, u32::from(line.num())), (12, 0)] {
        entry.write_once(offset, &word).ok()?;
    }
    let control = config.read(function, capability.offset);
    config.write(function, capability.offset, control | ENABLE);
    Some(())
}
