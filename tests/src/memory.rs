//! Maps pages with known ends: for arrays that run into a hole, and for unmapped addresses.

use core::ptr;

use crate::Errno;
use crate::sys::Result;

/// The size of a page.
pub const PAGE: usize = 4096;

/// An address of the lower half that no program has mapped.
pub const UNMAPPED: usize = 0x10_0000_0000;

/// An address of the kernel's half.
pub const KERNEL: usize = 0xffff_8000_0000_0000;

/// An address that is not canonical.
pub const NON_CANONICAL: usize = 0x8000_0000_0000_0000;

/// Anonymous memory, unmapped when dropped.
#[derive(Debug)]
pub struct Pages {
    base: usize,
    count: usize,
}

impl Pages {
    /// Maps `count` pages of zeros, readable and writable, with an unmapped page after them.
    pub fn before_hole(count: usize) -> Self {
        let base = map(count + 1).expect("anonymous memory");
        unmap(base + count * PAGE, 1);
        Self { base, count }
    }

    /// Returns the first address.
    pub fn start(&self) -> usize {
        self.base
    }

    /// Returns the first address after the pages, which is not mapped.
    pub fn end(&self) -> usize {
        self.base + self.count * PAGE
    }

    /// Sets the protection of page `index`.
    pub fn protect(&self, index: usize, protection: i32) {
        assert!(index < self.count);
        let address = (self.base + index * PAGE) as *mut _;
        // SAFETY: the page is ours.
        assert_eq!(unsafe { libc::mprotect(address, PAGE, protection) }, 0);
    }

    /// Writes `values` so that they end `missing` bytes behind the last mapped byte; writes only the part that
    /// is mapped. Returns the address of the first.
    pub fn place<T: Copy>(&self, values: &[T], missing: usize) -> usize {
        let size = size_of_val(values);
        let address = self.end() + missing - size;
        assert!(address >= self.base);
        // SAFETY: the part in front of the hole is ours, byte by byte.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr().cast(), address as *mut u8, size - missing)
        };
        address
    }

    /// Reads the value at `address`, which need not be aligned.
    pub fn value<T: Copy>(&self, address: usize) -> T {
        assert!(address >= self.base && address + size_of::<T>() <= self.end());
        // SAFETY: the bytes are ours; the types used are plain numbers.
        unsafe { ptr::read_unaligned(address as *const T) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        unmap(self.base, self.count);
    }
}

/// Maps `count` pages anywhere.
pub fn map(count: usize) -> Result<usize> {
    map_as(libc::MAP_PRIVATE, count)
}

/// Maps `count` pages that children share.
pub fn map_shared(count: usize) -> Result<usize> {
    map_as(libc::MAP_SHARED, count)
}

fn map_as(kind: i32, count: usize) -> Result<usize> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = kind | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping replaces nothing.
    let base = unsafe { libc::mmap(ptr::null_mut(), count * PAGE, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(last_error());
    }
    Ok(base as usize)
}

/// Unmaps `count` pages at `base`, which must be the caller's.
pub fn unmap(base: usize, count: usize) {
    // SAFETY: the caller owns the pages.
    assert_eq!(unsafe { libc::munmap(base as *mut _, count * PAGE) }, 0);
}

/// Returns the error of the last call of a libc function.
pub fn last_error() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}
