//! The stage's run, from the loader's call to the kernel's entry.

use core::{arch::x86_64::__cpuid_count, fmt::Write, panic::PanicInfo};

use bootloader_api::{
    BootInfo, BootloaderConfig,
    config::Mapping,
    info::{FrameBuffer, Optional},
};
use handover::{
    Refusal, acpi,
    boot_params::{self, BootParams, LENGTH},
    bundle::Bundle,
    cpu,
    kernel::{ENTRY, Kernel},
    memory_map::MemoryMap,
    place::{Room, overlap},
    screen::{self, Screen},
};
use x86_64::instructions::{hlt, interrupts};

use crate::{
    enter::{self, TABLES_LENGTH},
    physical::Physical,
    serial::Serial,
};

/// Configures the loader to map everything in the upper half, where it survives the change of the lower one.
static CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.dynamic_range_start = Some(0xffff_8000_0000_0000);
    config.mappings.physical_memory = Some(Mapping::Dynamic);
    config
};

bootloader_api::entry_point!(main, config = &CONFIG);

fn main(info: &'static mut BootInfo) -> ! {
    let Err(refusal) = start(info);
    if let Optional::Some(framebuffer) = &mut info.framebuffer {
        let shape = framebuffer.info();
        // Writing to the screen cannot fail.
        let _ = writeln!(Screen::open(framebuffer.buffer_mut(), shape), "pollux: cannot start: {refusal}");
    }
    stop(format_args!("cannot start: {refusal}"))
}

/// Enters the kernel, or returns why it cannot. Writes nothing before each part has its place.
fn start(info: &mut BootInfo) -> Result<core::convert::Infallible, Refusal> {
    cpu::check(leaf)?;
    let offset = info.physical_memory_offset.into_option().ok_or(Refusal::NoPhysicalMemory)?;
    // SAFETY: the loader has mapped all physical memory there, as CONFIG asks for, and nobody else uses it.
    let mut memory = unsafe { Physical::at(offset) };

    let address = info.ramdisk_addr.into_option().ok_or(Refusal::NoBundle)?;
    let length = usize::try_from(info.ramdisk_len).map_err(|_| Refusal::ForeignBundle)?;
    // SAFETY: the loader has mapped its file there. No write hits a part that is still to be read: `Room`
    // places all parts but the kernel outside of the file, and the check below covers the kernel.
    let file = unsafe { core::slice::from_raw_parts(address as *const u8, length) };
    let bundle = Bundle::parse(file)?;
    let kernel = Kernel::parse(bundle.kernel)?;
    let file_start = memory.address_of(file.as_ptr()).ok_or(Refusal::NoPhysicalMemory)?;
    let file_place = file_start..file_start + info.ramdisk_len;

    let mut room = Room::new(&info.memory_regions, file_place, kernel.memory())?;
    // The kernel may overwrite the other parts in the file, which have been copied by then, but not its own.
    let offset_in_file = bundle.kernel.as_ptr() as u64 - file.as_ptr() as u64;
    let own_start = file_start + offset_in_file;
    if overlap(&(own_start..own_start + bundle.kernel.len() as u64), &kernel.memory()) {
        return Err(Refusal::LoaderInTheWay { at: own_start });
    }
    let tables = room.take(TABLES_LENGTH)?;
    let params = room.take(LENGTH as u64)?;
    let width = match &info.framebuffer {
        Optional::Some(framebuffer) => screen::width_option(&framebuffer.info()),
        Optional::None => Default::default(),
    };
    // With a NUL.
    let command_line = room.take((width.len() + bundle.command_line.len()) as u64 + 1)?;
    let initramfs = room.take(bundle.initramfs.len() as u64)?;

    let rsdp = info.rsdp_addr.into_option();
    let root_table = rsdp.and_then(|address| acpi::root_table(&memory.read(address)));
    let map = MemoryMap::new(&info.memory_regions, root_table)?;
    let page = BootParams {
        memory: &map,
        initramfs: initramfs.start..initramfs.start + bundle.initramfs.len() as u64,
        command_line: command_line.clone(),
        acpi: rsdp,
        screen: match &info.framebuffer {
            Optional::Some(framebuffer) => framebuffer_place(framebuffer, &memory),
            Optional::None => None,
        },
    }
    .page();

    memory.write(&initramfs, bundle.initramfs);
    let rest = command_line.start + width.len() as u64..command_line.end;
    memory.write(&command_line, width.as_bytes());
    memory.write(&rest, bundle.command_line.as_bytes());
    memory.write(&params, &page);
    // The kernel comes last: from here on the rest of the file may be overwritten.
    for segment in kernel.segments() {
        memory.write(&segment.memory, segment.bytes);
    }
    enter::kernel(&mut memory, tables, ENTRY, params.start)
}

/// Describes the loader's screen, as far as Linux's structure can.
fn framebuffer_place(framebuffer: &FrameBuffer, memory: &Physical) -> Option<boot_params::Screen> {
    let info = framebuffer.info();
    Some(boot_params::Screen {
        address: memory.address_of(framebuffer.buffer().as_ptr())?,
        width: info.stride.try_into().ok()?,
        height: info.height.try_into().ok()?,
        depth: (info.bytes_per_pixel * 8).try_into().ok()?,
    })
}

fn leaf(number: u32) -> cpu::Leaf {
    if number > __cpuid_count(0, 0).eax {
        return [0; 4];
    }
    let leaf = __cpuid_count(number, 0);
    [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]
}

/// Prints why the machine stops, and stops it.
fn stop(reason: core::fmt::Arguments<'_>) -> ! {
    // Writing to the serial port cannot fail.
    let _ = writeln!(Serial::open(), "pollux: {reason}");
    interrupts::disable();
    loop {
        hlt();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    stop(format_args!("the boot stage has failed: {info}"))
}
