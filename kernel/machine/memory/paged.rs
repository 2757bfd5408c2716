//! A sequence of bytes that is kept in pages, for what a program makes long: arguments, generated texts.
//!
//! Invariant: all pages but the last are full. Each is granted on its own, so that length needs no memory in one piece.

use alloc::collections::BTreeMap;
use core::fmt;

use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::{UFrame, VmReader, VmWriter};
use rules::abi::errno::Errno;

use super::budget;
use super::layout::PAGE_SIZE;
use super::transfer::Sink;

/// Bytes that are appended and read, in pages.
#[derive(Default)]
pub(crate) struct PagedBytes {
    /// By index.
    pages: BTreeMap<usize, UFrame>,
    len: usize,
}

impl PagedBytes {
    /// Returns the number of bytes.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// `ENOMEM`: the first of them may have been appended.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let mut from = VmReader::from(bytes);
        while from.remain() > 0 {
            let (index, offset) = (self.len / PAGE_SIZE, self.len % PAGE_SIZE);
            if offset == 0 {
                let _grant = budget::grant(PAGE_SIZE)?;
                let page = budget::uncleared_page()?;
                // Bounded: a node for every few pages, each of which was granted.
                self.pages.insert(index, page);
            }
            let page = self.pages.get(&index).ok_or(Errno::ENOMEM)?;
            self.len += page.writer().skip(offset).write(&mut from);
        }
        Ok(())
    }

    /// Appends the strings of `other` without the first.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn push_rest(&mut self, other: &Self) -> Result<(), Errno> {
        let mut second = other.len;
        let mut count = 0;
        other.each_string(|offset| {
            count += 1;
            if count == 2 {
                second = offset;
            }
            Ok(())
        })?;
        let mut piece = [0; 256];
        while second < other.len {
            let read = other.read(second, &mut piece);
            self.push(piece.get(..read).unwrap_or_default())?;
            second += read;
        }
        Ok(())
    }

    /// Copies bytes from `offset` on, as many as there are and fit into `to`; returns how many.
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) -> usize {
        let mut to = VmWriter::from(to);
        let mut done = 0;
        while let Some(mut from) = self.rest_of_page(offset + done).filter(|_| to.avail() > 0) {
            done += from.read(&mut to);
        }
        done
    }

    /// Copies bytes from `offset` on to `to` until either ends; returns how many.
    ///
    /// # Errors
    /// `EFAULT`: not even one could be copied.
    pub(crate) fn put(&self, offset: usize, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut done = 0;
        while let Some(mut from) = self.rest_of_page(offset + done).filter(|_| to.remaining() > 0) {
            let wanted = from.remain().min(to.remaining());
            let put = to.put_from(&mut from);
            done += put;
            if put < wanted {
                break;
            }
        }
        let is_wanted = offset < self.len && to.remaining() > 0;
        if done == 0 && is_wanted { Err(Errno::EFAULT) } else { Ok(done) }
    }

    /// Calls `visit` with the offset of each null-terminated string, in order.
    ///
    /// # Errors
    /// Those of `visit`.
    pub(crate) fn each_string(&self, mut visit: impl FnMut(usize) -> Result<(), Errno>) -> Result<(), Errno> {
        let (mut piece, mut start, mut done) = ([0; 256], 0, 0);
        while done < self.len {
            let read = self.read(done, &mut piece);
            for end in (0..read).filter(|at| piece.get(*at) == Some(&0)) {
                visit(start)?;
                start = done + end + 1;
            }
            done += read;
        }
        Ok(())
    }

    /// Returns what is in a page from `offset` on; `None` at the end.
    fn rest_of_page(&self, offset: usize) -> Option<VmReader<'_, ostd::mm::Infallible>> {
        let rest = self.len.checked_sub(offset).filter(|rest| *rest > 0)?;
        let mut reader = self.pages.get(&(offset / PAGE_SIZE))?.reader();
        reader.skip(offset % PAGE_SIZE).limit(rest);
        Some(reader)
    }
}

impl fmt::Write for PagedBytes {
    /// Appends a text; an error means `ENOMEM`.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for PagedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagedBytes").field("len", &self.len).finish_non_exhaustive()
    }
}
