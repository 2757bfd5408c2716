//! `/proc/PID/fdinfo`: what is known of a process's open files.
//!
//! Not here: the directory `fd` (`descriptors`).
//! Missing: the lines of locks.
//! Source: proc(5); Linux 6.1 fs/proc/fd.c (`seq_show`), and each `show_fdinfo`.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::{self, Arguments, Write};
use core::sync::atomic::Ordering;
use core::time::Duration;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::machine::fallible;

use super::descriptors;
use super::subject::{Subject, generated, number};
use crate::core::file::description::OpenFile;
use crate::core::object::epoll::Epoll;
use crate::core::object::eventfd::EventFd;
use crate::core::object::timerfd::TimerFd;
use crate::linux::fs::changes::FileChanges;
use crate::linux::fs::nameless;
use crate::linux::fs::notify::file::Inotify;
use crate::linux::fs::opened::OpenedAt;
use crate::linux::fs::tmpfs::dynamic::{DynamicInode, DynamicNames, Listed, Text};
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::task::access;
use crate::linux::task::pidfd::PidFd;
use crate::linux::task::process_table;
use crate::linux::task::signal::signalfd::SignalFd;
use crate::machine::memory::paged::PagedBytes;

/// The open descriptors of a subject.
pub(super) struct DescriptorTexts(pub(super) Subject);

/// Separates these inode numbers from those of the subject's other files.
const LOCAL: u64 = 3 << 29;

impl DynamicNames for DescriptorTexts {
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno> {
        let (subject, fd) = (self.0, Fd::new(number(name)?));
        let process = subject.process()?;
        // Linux: proc_fdinfo_access_allowed, which asks at each look-up.
        access::check(&process)?;
        process.files().get_any(fd).map_err(|_| Errno::ENOENT)?;
        let text = move || text(subject, fd);
        subject.find(LOCAL | fd.index() as u64, 0o444, generated(FileChanges::Refused, text))
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        if self.0.process().and_then(|process| access::check(&process)).is_err() {
            return Vec::new();
        }
        descriptors::listed(self.0, from, LOCAL, FileType::Regular)
    }
}

fn text(subject: Subject, fd: Fd) -> Result<Text, Errno> {
    let files = subject.process()?.files();
    let file = files.get_any(fd).map_err(|_| Errno::ENOENT)?;
    let mut flags = file.access().to_flags() | file.status().bits();
    if files.on_exec(fd) == Ok(OnExec::Close) {
        flags |= OpenFlags::CLOSE_ON_EXEC.bits();
    }
    let mount = file.location().map(OpenedAt::location).map(|place| place.mount.number());
    let mount = mount.unwrap_or_else(nameless::mount_number);
    let mut text = PagedBytes::default();
    let written = all(&mut text, &file, flags, mount);
    written.map_err(|_| Errno::ENOMEM)?;
    fallible::shared(text)
}

fn all(text: &mut PagedBytes, file: &OpenFile, flags: u32, mount: u64) -> fmt::Result {
    let position = *file.offset();
    line(text, format_args!("pos:\t{position}\nflags:\t0{flags:o}\n"))?;
    line(text, format_args!("mnt_id:\t{mount}\nino:\t{}\n", file.stat().inode))?;
    details(text, file)
}

/// Appends the lines that only one kind of file has.
fn details(text: &mut PagedBytes, file: &OpenFile) -> fmt::Result {
    if let Some(event) = file.downcast::<EventFd>() {
        let id = file.id().0;
        line(text, format_args!("eventfd-count: {:16x}\neventfd-id: {id}\n", event.count()))?;
    } else if let Some(signals) = file.downcast::<SignalFd>() {
        line(text, format_args!("sigmask:\t{:016x}\n", signals.wanted().bits()))?;
    } else if let Some(timer) = file.downcast::<TimerFd>() {
        timer_lines(text, timer)?;
    } else if let Some(epoll) = file.downcast::<Epoll>() {
        epoll_lines(text, epoll)?;
    } else if let Some(process) = file.downcast::<PidFd>() {
        let pid = process.process().pid();
        // A process that was reaped has no number any more.
        let shown = process_table::find(pid).map_or("-1".to_string(), |_| pid.to_string());
        line(text, format_args!("Pid:\t{shown}\nNSpid:\t{shown}\n"))?;
    } else if let Some(instance) = file.downcast::<Inotify>() {
        inotify_lines(text, instance)?;
    }
    Ok(())
}

fn timer_lines(text: &mut PagedBytes, timer: &TimerFd) -> fmt::Result {
    let (setting, ticks) = timer.get();
    let pair = |time: Duration| (time.as_secs(), time.subsec_nanos());
    let (clock, flags) = (timer.clock, timer.flags.load(Ordering::Relaxed));
    let (left, interval) = (pair(setting.left), pair(setting.interval));
    line(text, format_args!("clockid: {clock}\nticks: {ticks}\nsettime flags: 0{flags:o}\n"))?;
    line(text, format_args!("it_value: ({}, {})\n", left.0, left.1))?;
    line(text, format_args!("it_interval: ({}, {})\n", interval.0, interval.1))?;
    Ok(())
}

fn epoll_lines(text: &mut PagedBytes, epoll: &Epoll) -> fmt::Result {
    for (fd, event, description) in epoll.items() {
        // Without its description, the item is about to go.
        let Some(file) = description.upgrade() else { continue };
        let (position, stat) = (*file.offset(), file.stat());
        // Linux adds the events that are always reported.
        let (events, data) = (event.events | u32::from(Events::ALWAYS.bits()), event.data);
        line(text, format_args!("tfd: {fd:8} events: {events:8x} data: {data:16x}  pos:{position} "))?;
        line(text, format_args!("ino:{:x} sdev:{:x}\n", stat.inode, stat.device))?;
    }
    Ok(())
}

fn inotify_lines(text: &mut PagedBytes, instance: &Inotify) -> fmt::Result {
    for watch in instance.group().shown().map_err(|_| fmt::Error)? {
        let inode: &Inode = &watch.inode;
        let (ino, device) = (inode.number(), inode.superblock().device());
        let device = device.major << 20 | device.minor;
        line(text, format_args!("inotify wd:{:x} ino:{ino:x} sdev:{device:x} ", watch.number))?;
        line(text, format_args!("mask:{:x} ignored_mask:0 ", watch.wanted.bits()))?;
        // A handle of name_to_handle_at(2): the generation, which is 0 here, and the number.
        line(text, format_args!("fhandle-bytes:c fhandle-type:1 f_handle:00000000"))?;
        for byte in ino.to_ne_bytes() {
            line(text, format_args!("{byte:02x}"))?;
        }
        text.write_char('\n')?;
    }
    Ok(())
}

/// Appends to a text.
fn line(text: &mut PagedBytes, arguments: Arguments<'_>) -> fmt::Result {
    text.write_fmt(arguments)
}
