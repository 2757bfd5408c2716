//! The machine: builds QEMU's command line.
//!
//! The machine is the same for both kernels, so that they can be compared, except where a kernel needs otherwise.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::{fd::AsRawFd, unix::net::UnixDatagram},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    cli::{Firmware, HardwareOptions, Kernel, KernelOptions, Mebibytes},
    image,
    symbols::Symbols,
    toolchain::Output,
    twin,
};

/// The CPU model for counting. Under `-icount` a `rep movsb` counts one instruction per byte, unlike on real
/// hardware; without these two features Linux copies by words.
const COUNTING_CPU: &str = "max,-erms,-fsrm";

/// I/O address and interrupt of the four serial ports. On a PC the last two share the interrupts of the first
/// two; here they have their own, because two QEMU devices on one edge-triggered line lose interrupts. Linux
/// learns them from the ACPI tables.
const SERIAL: [(&str, &str); 4] = [("0x3f8", "4"), ("0x2f8", "3"), ("0x3e8", "5"), ("0x2e8", "7")];

/// A machine with a kernel, ready to start.
#[derive(Clone)]
pub(crate) struct Machine {
    kernel: KernelOptions,
    hardware: HardwareOptions,
    image: PathBuf,
    /// The file of QEMU's own log, if it is on.
    log: Option<String>,
    /// Whether the kernel has no device to end QEMU with.
    stays_on: bool,
    /// The socket at the other end of the card's cable, if it is not QEMU's user network.
    wire: Option<Arc<UnixDatagram>>,
}

impl Machine {
    /// Makes a machine with the kernel that the options name, and builds or fetches the kernel.
    pub(crate) fn prepare(kernel: KernelOptions, hardware: &HardwareOptions) -> Result<Self> {
        let image = match (&hardware.image, kernel.on) {
            (Some(file), _) if !file.is_file() => bail!("{}: no such kernel file", file.display()),
            (Some(file), _) => file.clone(),
            (None, Kernel::Pollux) => build::kernel(kernel.policy, Output::OnFailure)?,
            (None, Kernel::Linux) => twin::image()?,
        };
        Self::with(kernel, hardware, image)
    }

    /// Makes a machine with this kernel file.
    pub(crate) fn with(kernel: KernelOptions, hardware: &HardwareOptions, image: PathBuf) -> Result<Self> {
        if hardware.icount && kernel.smp != 1 {
            bail!("instructions can be counted with one CPU only");
        }
        let mut hardware = hardware.clone();
        for (host, guest) in &mut hardware.forwards {
            if *host == 0 {
                *host = free_port().context("no free port")?;
                eprintln!("pollux: port {host} of this machine leads to port {guest} of the guest");
            }
        }
        if hardware.boot.is_some() && kernel.on == Kernel::Linux {
            bail!("disk images are for Pollux; the twin starts from QEMU's -kernel only");
        }
        Ok(Self { kernel, hardware, image, log: None, stays_on: false, wire: None })
    }

    /// Sends the log of QEMU itself to this file.
    pub(crate) fn log_to(&mut self, path: &str) {
        self.log = Some(path.to_owned());
    }

    /// Removes the device with which the kernel ends QEMU: as on a PC, the last picture stays on the screen.
    pub(crate) fn stay_on(&mut self) {
        self.stays_on = true;
    }

    /// Connects the network card to a socket that it returns, on which every datagram is a frame.
    ///
    /// # Errors
    /// Fails if no socket can be created.
    pub(crate) fn plug(&mut self) -> Result<UnixDatagram> {
        let (ours, guests) = UnixDatagram::pair()?;
        // QEMU inherits it; the kit starts no other process meanwhile.
        rustix::io::fcntl_setfd(&guests, rustix::io::FdFlags::empty())?;
        self.wire = Some(Arc::new(guests));
        Ok(ours)
    }

    /// Whether a debugger is attached to the guest, which makes time limits meaningless.
    pub(crate) fn is_debugged(&self) -> bool {
        self.hardware.gdb
    }

    /// Whether the firmware writes to serial ports.
    pub(crate) fn has_talkative_firmware(&self) -> bool {
        self.hardware.boot == Some(Firmware::Uefi)
    }

    /// Returns the symbols for the addresses in the kernel's last words.
    pub(crate) fn symbols(&self) -> Symbols {
        Symbols::of(&self.image)
    }

    /// Makes the file that QEMU's arguments name: the initramfs, or a whole disk with it inside.
    pub(crate) fn medium(&self, initramfs: &[u8]) -> Result<Vec<u8>> {
        match self.hardware.boot {
            Some(firmware) => image::disk(firmware, &self.image, initramfs, &self.command_line()),
            None => {
                let mut bytes = initramfs.to_vec();
                if self.has_card() && self.kernel.on == Kernel::Linux {
                    // Linux takes several archives, one after the other.
                    bytes.extend(twin::modules()?.finish()?);
                }
                Ok(bytes)
            }
        }
    }

    /// Whether there is a network card.
    fn has_card(&self) -> bool {
        self.wire.is_some() || self.hardware.net || !self.hardware.forwards.is_empty()
    }

    /// Builds the kernel's command line.
    fn command_line(&self) -> String {
        let own = match self.kernel.on {
            Kernel::Pollux => "init=/init",
            // Linux at its fastest; a panic ends QEMU.
            Kernel::Linux => "console=ttyS0 quiet mitigations=off panic=-1",
        };
        let words = [own].into_iter().chain(self.hardware.append.iter().map(String::as_str));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Builds QEMU's arguments, except the host sides of its character devices: `port0` to `port3`, `monitor`.
    pub(crate) fn arguments(&self, medium: &Path) -> Vec<String> {
        let Self { kernel, hardware, image, log, stays_on, wire } = self;
        let model = if hardware.icount { COUNTING_CPU } else { "max" };
        let mut words: Vec<String> = Vec::new();
        let mut add = |text: &[&str]| words.extend(text.iter().map(|&word| word.to_owned()));
        add(&["-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"]);
        add(&["-machine", &chipset(hardware.mem, hardware.boot)]);
        // QEMU takes the first that works.
        let accelerators: &[&str] = if hardware.kvm { &["kvm", "tcg"] } else { &["tcg"] };
        accelerators.iter().for_each(|name| add(&["-accel", name]));
        add(&["-cpu", hardware.cpu.as_deref().unwrap_or(model)]);
        add(&["-smp", &kernel.smp.to_string(), "-m", &format!("{}M", hardware.mem.0)]);
        for (number, (address, interrupt)) in SERIAL.iter().enumerate() {
            add(&["-device", &format!("isa-serial,chardev=port{number},iobase={address},irq={interrupt}")]);
        }
        add(&["-mon", "chardev=monitor,mode=readline"]);
        if hardware.icount {
            add(&["-icount", "shift=0,sleep=off"]);
        }
        if self.has_card() {
            let forwards = hardware.forwards.iter();
            let forwards = forwards.map(|(host, guest)| format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
            let network = match wire {
                Some(wire) => format!("dgram,id=net0,local.type=fd,local.str={}", wire.as_raw_fd()),
                None => format!("user,id=net0{}", forwards.collect::<String>()),
            };
            add(&["-netdev", &network]);
            // A modern virtio device only, and no ROM to boot from the network.
            add(&["-device", "virtio-net-pci,netdev=net0,disable-legacy=on,romfile="]);
        }
        if let Some(log) = log {
            add(&["-D", log]);
        }
        if hardware.gdb {
            add(&["-gdb", "tcp:127.0.0.1:1234", "-S"]);
        }
        if kernel.on == Kernel::Pollux && !stays_on {
            // OSTD ends QEMU through this device: status 33 for success, 65 for a panic.
            add(&["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        }
        let medium = medium.to_string_lossy();
        match hardware.boot {
            None => {
                add(&["-kernel", &image.to_string_lossy(), "-initrd", &medium]);
                add(&["-append", &self.command_line()]);
            }
            Some(firmware) => {
                // The loader for BIOS does not start without a screen.
                add(&["-vga", "std", "-drive", &format!("format=raw,snapshot=on,file={medium}")]);
                if firmware == Firmware::Uefi {
                    add(&["-bios", image::ovmf()]);
                }
            }
        }
        words
    }
}

/// Finds a free port of the loopback interface. QEMU binds it a moment later.
pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Names the board. OSTD 0.18 maps memory up to the highest usable address and reads the ACPI tables through
/// that map. The firmware puts the tables at the end of the lower part and calls the place reserved, which OSTD
/// does not count. Some memory above 4 GiB makes the map long enough; with 2.75 GiB and more there is some anyway.
///
/// When a disk starts, the stage tells the kernel that the place holds ACPI tables.
fn chipset(mem: Mebibytes, boot: Option<Firmware>) -> String {
    const ENOUGH: Mebibytes = Mebibytes(2816);
    const ABOVE: Mebibytes = Mebibytes(32);
    match mem.0.checked_sub(ABOVE.0) {
        Some(below @ 1..) if mem.0 < ENOUGH.0 && boot.is_none() => format!("q35,max-ram-below-4g={below}M"),
        _ => "q35".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn arguments(words: &str) -> String {
        let words = format!("pollux exec {words} x");
        let Ok(Cli { command: Command::Exec(options) }) = Cli::try_parse_from(words.split(' ')) else {
            return String::new();
        };
        let machine = Machine {
            kernel: options.guest.kernel,
            hardware: options.guest.hardware,
            image: "k".into(),
            log: None,
            stays_on: false,
            wire: None,
        };
        machine.arguments(Path::new("i")).join(" ")
    }

    #[test]
    fn options_reach_qemu() {
        let line = arguments("--smp 4 --mem 512M --cpu Skylake-Client");
        assert!(line.contains("-cpu Skylake-Client -smp 4 -m 512M "), "{line}");
        assert!(line.contains("-kernel k -initrd i"), "{line}");
    }

    #[test]
    fn a_card_is_there_when_it_is_wanted() {
        assert!(!arguments("").contains("net"));
        assert!(arguments("--net").contains("-netdev user,id=net0 -device virtio-net-pci,netdev=net0"));
        let line = arguments("--forward 8080:80 --forward 2323:23");
        let forwards = "user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:2323-:23 ";
        assert!(line.contains(forwards), "{line}");
    }

    #[test]
    fn a_disk_takes_the_place_of_the_kernel_file() {
        let line = arguments("--boot bios --mem 256M");
        assert!(
            line.contains("-machine q35 ") && line.contains("file=i") && !line.contains("-kernel"),
            "{line}"
        );
        assert!(!line.contains("-bios") && arguments("--boot uefi").contains("-bios"), "{line}");
    }

    #[test]
    fn little_memory_is_split_and_much_is_left_alone() {
        assert_eq!(chipset(Mebibytes(256), None), "q35,max-ram-below-4g=224M");
        assert_eq!(chipset(Mebibytes(3072), None), "q35");
        assert_eq!(chipset(Mebibytes(32), None), "q35");
    }

    #[test]
    fn counting_masks_the_byte_copies_unless_a_model_is_named() {
        assert!(arguments("--icount").contains("-cpu max,-erms,-fsrm -smp 1 "));
        assert!(arguments("--icount").contains("-icount shift=0,sleep=off"));
        assert!(arguments("--icount --cpu max").contains("-cpu max -smp 1"));
        assert!(!arguments("--on linux").contains("icount"));
    }

    #[test]
    fn only_pollux_gets_the_exit_device() {
        assert!(arguments("--on pollux").contains("isa-debug-exit"));
        assert!(!arguments("--on linux").contains("isa-debug-exit"));
    }
}
