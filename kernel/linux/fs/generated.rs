//! Files whose text is generated when they are read, such as `/proc/meminfo`, and numbers that root may write.
//!
//! Owns: the text that one open file reads.   Not here: generating it (`linux/proc`).
//! Source: Linux 6.1 fs/seq_file.c.

use alloc::format;
use alloc::sync::Arc;
use core::task::Poll;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::core::seek::{self, Whence};

use super::changes::WatchedFile;
use super::tmpfs::dynamic::{self, Control, GeneratedText, Text};
use super::tmpfs::inode::{Content, Inode};
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::traits::File;
use crate::machine::memory::transfer::{Sink, Source};

/// An open generated file. A read from the start generates the text anew.
pub(super) struct OpenGeneratedFile {
    inode: Arc<Inode>,
    /// What generates the text, if not the inode.
    own: Option<GeneratedText>,
    text: SpinLock<Text>,
    watched: Option<WatchedFile>,
}

impl OpenGeneratedFile {
    /// Opens `inode` without generating the text yet.
    pub(super) fn new(inode: Arc<Inode>) -> Self {
        let watched = match inode.content() {
            Content::GeneratedFile(file) => file.changes.watch(),
            Content::Control(control) => control.changes().watch(),
            _ => None,
        };
        Self { inode, own: None, text: SpinLock::new(Text::default()), watched }
    }

    /// Opens `inode`, whose text `own` generates for this open file.
    pub(super) fn controlled(inode: Arc<Inode>, own: GeneratedText) -> Self {
        Self { own: Some(own), ..Self::new(inode) }
    }

    fn command(control: &dyn Control, from: &mut dyn Source) -> Result<usize, Errno> {
        /// Longer texts mean nothing to any file here.
        const MOST: usize = 128;
        let mut text = [0; MOST];
        let len = from.remaining().min(MOST);
        if from.take(&mut text[..len]) < len {
            return Err(Errno::EFAULT);
        }
        control.write(&text[..len]).unwrap_or(Err(Errno::EINVAL))
    }

    fn generate(&self) -> Result<Text, Errno> {
        if let Some(own) = &self.own {
            return own();
        }
        match self.inode.content() {
            Content::GeneratedFile(file) => (file.text)(),
            Content::Setting(setting) => dynamic::text(format!("{}\n", (setting.get)())),
            _ => Err(Errno::EINVAL),
        }
    }

    fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let text = if offset == 0 {
            let fresh = self.generate()?;
            // The text before is dropped without the lock.
            drop(core::mem::replace(&mut *self.text.lock(), fresh.clone()));
            fresh
        } else {
            self.text.lock().clone()
        };
        text.put(usize::try_from(offset).unwrap_or(usize::MAX), to)
    }

    /// Sets the number. A write that does not begin at the start changes nothing (`proc_first_pos_non_zero_ignore`).
    fn set(setting: &Setting, offset: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        let len = from.remaining();
        let mut text = [0; 32];
        let text = text.get_mut(..len).ok_or(Errno::EINVAL)?;
        if from.take(text) < len {
            return Err(Errno::EFAULT);
        }
        if offset == 0 && len > 0 {
            (setting.set)(parse(text)?);
        }
        Ok(len)
    }
}

/// A number in `/proc/sys` that root may change.
pub(crate) struct Setting {
    /// Returns the number.
    pub(crate) get: fn() -> u64,
    /// Sets the number, which is at most `i32::MAX`.
    pub(crate) set: fn(u32),
}

/// Parses a decimal number with white space around it.
fn parse(text: &[u8]) -> Result<u32, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let number: u32 = text.trim_matches(['\0', ' ', '\t', '\n']).parse().map_err(|_| Errno::EINVAL)?;
    if number > i32::MAX.cast_unsigned() { Err(Errno::EINVAL) } else { Ok(number) }
}

impl File for OpenGeneratedFile {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        Poll::Ready(self.read(offset, to))
    }

    fn write_at(&self, offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        Poll::Ready(match self.inode.content() {
            Content::Control(control) => Self::command(&**control, from),
            Content::Setting(setting) => Self::set(setting, offset, from),
            _ => Err(Errno::EIO),
        })
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        self.watched.as_ref().map(|watched| -> &event::Pollable { watched })
    }

    fn is_seekable(&self) -> bool {
        true
    }

    /// `SEEK_END` is an error: the length is not known.
    fn seek(&self, current: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        seek::resolve(current, 0, offset, whence)
    }
}
