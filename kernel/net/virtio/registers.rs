//! The registers of a card: finding and starting it.
//!
//! Source: VIRTIO 1.2, sections 3.1.1, 4.1.4.3, 4.1.4.4.

use ostd::io::IoMem;
use ostd::irq::IrqLine;
use ostd::mm::{PodOnce, VmIoOnce};
use rules::net::ethernet::Mac;
use rules::net::pci::{self, Function};
use rules::net::virtio::queue::QueueLayout;
use rules::net::virtio::{DeviceRegion, NETWORK, VENDOR, common, feature, parts, status};

use super::pci::{Ports, connect};
use crate::machine::console::println;

/// How often the driver polls for the end of a reset.
const RESET_POLLS: u32 = 1_000_000;

/// The notification register of one queue.
pub(super) struct Doorbell {
    register: IoMem,
    number: u16,
}

/// The registers.
pub(super) struct Registers {
    common: IoMem,
    notify: IoMem,
    notify_multiplier: u32,
    device: IoMem,
    /// Kept as long as the card works.
    line: IrqLine,
}

impl Doorbell {
    /// Notifies the card of new buffers.
    pub(super) fn ring(&self) {
        let _ = self.register.write_once(0, &self.number);
    }
}

impl Registers {
    /// Finds a card; its interrupt calls `on_interrupt`.
    pub(super) fn find(on_interrupt: impl Fn() + Send + Sync + 'static) -> Option<Self> {
        let config = Ports::open()?;
        let function = pci::functions(&config).into_iter().find(|function| {
            function
                .identity(&config)
                .is_some_and(|(vendor, device)| vendor == VENDOR && NETWORK.contains(&device))
        })?;
        let found = Self::open(function, &config, on_interrupt);
        if found.is_none() {
            println!("pollux: there is a network card, but none as virtio 1.0 on PCI with MSI-X has it");
        }
        found
    }

    fn open(
        function: Function,
        config: &Ports,
        on_interrupt: impl Fn() + Send + Sync + 'static,
    ) -> Option<Self> {
        let parts = parts(function, config)?;
        function.enable(config);
        let mut line = IrqLine::alloc().ok()?;
        line.on_active(move |_| on_interrupt());
        connect(function, config, &line)?;
        let acquire = |part: DeviceRegion, at_least: u64| {
            let start = function.memory(config, part.bar)?.checked_add(u64::from(part.offset))?;
            let end = start.checked_add(u64::from(part.len))?;
            (u64::from(part.len) >= at_least).then(|| IoMem::acquire(start as usize..end as usize).ok())?
        };
        Some(Self {
            common: acquire(parts.common, common::LEN)?,
            notify: acquire(parts.notify, 2)?,
            notify_multiplier: parts.notify_multiplier,
            device: acquire(parts.device, 6)?,
            line,
        })
    }

    /// Resets the card and negotiates features, with the `optional` ones if it has them. Returns its address, and
    /// which optional features it has.
    pub(super) fn negotiate(&mut self, optional: u64) -> Option<(Mac, u64)> {
        self.write(common::STATUS, 0_u8);
        if !(0..RESET_POLLS).any(|_| self.read::<u8>(common::STATUS) == 0) {
            return None;
        }
        let mut steps = status::ACKNOWLEDGE | status::DRIVER;
        self.write(common::STATUS, steps);
        let wanted = feature::MAC | feature::VERSION_1;
        let mut offered = 0;
        for half in 0..2_u32 {
            self.write(common::FEATURES_SELECT, half);
            offered |= u64::from(self.read::<u32>(common::FEATURES)) << (32 * half);
        }
        if offered & wanted != wanted {
            println!("pollux: the network card has no address, or is of a kind from before virtio 1.0");
            return None;
        }
        let chosen = wanted | (offered & optional);
        for half in 0..2_u32 {
            self.write(common::CHOSEN_SELECT, half);
            self.write(common::CHOSEN, (chosen >> (32 * half)) as u32);
        }
        steps |= status::FEATURES_OK;
        self.write(common::STATUS, steps);
        if self.read::<u8>(common::STATUS) & status::FEATURES_OK == 0 {
            return None;
        }
        let mut mac = [0; 6];
        for (offset, byte) in mac.iter_mut().enumerate() {
            *byte = self.device.read_once(offset).ok()?;
        }
        Some((Mac(mac), offered & optional))
    }

    /// Returns the most descriptors that queue `number` may have.
    pub(super) fn queue_size(&self, number: u16) -> u16 {
        self.write(common::QUEUE_SELECT, number);
        self.read(common::QUEUE_SIZE)
    }

    /// Starts queue `number`, whose memory is at `address`.
    pub(super) fn start_queue(&self, number: u16, size: u16, address: u64) -> Option<Doorbell> {
        let layout = QueueLayout { size };
        self.write(common::QUEUE_SELECT, number);
        self.write(common::QUEUE_SIZE, size);
        self.write(common::QUEUE_VECTOR, 0_u16);
        if self.read::<u16>(common::QUEUE_VECTOR) != 0 {
            return None;
        }
        for (field, address) in [
            (common::QUEUE_DESCRIPTORS, address),
            (common::QUEUE_AVAILABLE, address + layout.available() as u64),
            (common::QUEUE_USED, address + layout.used() as u64),
        ] {
            self.write(field, address as u32);
            self.write(field + 4, (address >> 32) as u32);
        }
        let place =
            u32::from(self.read::<u16>(common::QUEUE_NOTIFY)).checked_mul(self.notify_multiplier)? as usize;
        if place + 2 > ostd::mm::HasSize::size(&self.notify) {
            return None;
        }
        self.write(common::QUEUE_ENABLE, 1_u16);
        Some(Doorbell { register: self.notify.slice(place..place + 2), number })
    }

    /// Starts the card. Its interrupt is never released.
    pub(super) fn finish(self) {
        let steps = self.read::<u8>(common::STATUS) | status::DRIVER_OK;
        self.write(common::STATUS, steps);
        core::mem::forget(self.line);
    }

    // No access fails: `open` checked the length of the registers.
    fn read<T: PodOnce + Default>(&self, offset: usize) -> T {
        self.common.read_once(offset).unwrap_or_default()
    }

    fn write<T: PodOnce>(&self, offset: usize, value: T) {
        let _ = self.common.write_once(offset, &value);
    }
}
