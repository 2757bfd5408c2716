//! `/proc/PID/maps`: the areas of an address space.
//!
//! Source: proc(5); Linux 6.1 fs/proc/task_mmu.c (`show_map_vma`).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::{self, Write};

use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::fallible;

use crate::linux::fs::tmpfs::dynamic::Text;
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::fs::{memfd, path};
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::paged::PagedBytes;
use crate::machine::memory::pages::Pages;
use crate::machine::memory::space::{AddressSpace, Backing, Purpose, Region};
use crate::machine::memory::vdso::Vdso;

/// Returns a line for each area of `space`.
pub(super) fn maps(space: &AddressSpace) -> Result<Text, Errno> {
    let mut text = PagedBytes::default();
    let mut next = 0;
    while let Some(region) = space.region_from(next) {
        next = region.range.end;
        line(&mut text, &region).map_err(|_| Errno::ENOMEM)?;
    }
    fallible::shared(text)
}

fn line(text: &mut PagedBytes, region: &Region) -> fmt::Result {
    let Region { range, prot, backing, purpose } = region;
    let flag = |flag, letter| if prot.contains(flag) { letter } else { '-' };
    let (source, sharing) = match backing {
        Backing::Anonymous => (None, 'p'),
        Backing::Private { pages, index } => (Some((pages, index)), 'p'),
        Backing::Shared { pages, index, .. } => (Some((pages, index)), 's'),
    };
    let offset = source.map_or(0, |(_, index)| index.wrapping_mul(PAGE_SIZE as u64));
    let file = source.and_then(|(pages, _)| inode(pages));
    let (device, number) =
        file.as_ref().map_or((None, 0), |file| (Some(file.superblock().device()), file.number()));
    let (major, minor) = device.map_or((0, 0), |device| (device.major, device.minor));
    let name = match (&file, source, purpose) {
        (Some(file), ..) => {
            let path = || path::of_inode(file).map(|place| path::text(&place));
            memfd::text(file).or_else(path).unwrap_or_else(|| b"/ (deleted)".to_vec())
        }
        (None, Some((pages, _)), _) if is_vdso(pages) => b"[vdso]".to_vec(),
        (None, Some(_), _) => b"/dev/zero (deleted)".to_vec(),
        (None, None, Purpose::Heap) => b"[heap]".to_vec(),
        (None, None, Purpose::Stack) => b"[stack]".to_vec(),
        (None, None, Purpose::Other) => Vec::new(),
    };
    let start = text.len();
    write!(
        text,
        "{:08x}-{:08x} {}{}{}{sharing} {offset:08x} {major:02x}:{minor:02x} {number} ",
        range.start,
        range.end,
        flag(Prot::READ, 'r'),
        flag(Prot::WRITE, 'w'),
        flag(Prot::EXEC, 'x'),
    )?;
    if !name.is_empty() {
        // Linux pads to this column.
        let column = 73_usize.saturating_sub(text.len() - start);
        write!(text, "{:column$}{}", "", String::from_utf8_lossy(&name))?;
    }
    text.write_char('\n')
}

fn is_vdso(pages: &Arc<dyn Pages>) -> bool {
    let any: &dyn Any = &**pages;
    any.is::<Vdso>()
}

fn inode(pages: &Arc<dyn Pages>) -> Option<Arc<Inode>> {
    let any: Arc<dyn Any + Send + Sync> = pages.clone();
    any.downcast().ok()
}
