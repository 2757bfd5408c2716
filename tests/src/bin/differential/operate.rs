//! Does operations that do not wait: making, closing, reading, writing, setting, watching.

use std::time::Duration;

use libc::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, O_NONBLOCK};
use pollux_tests::epoll::events::{ET, EXCLUSIVE, IN, ONESHOT, OUT, PRI, RDHUP};
use pollux_tests::sys::{self, Result};
use pollux_tests::time;
use pollux_tests::{Fd, epoll, fd, poll};

use crate::world::{Kind, World};

impl World<'_> {
    pub(crate) fn create(&mut self) {
        let object = self.new_object();
        match self.random.below(10) {
            0..3 => {
                let pipe = fd::pipe2(O_NONBLOCK);
                self.log.note(format_args!("pipe2 = {:?}", pipe.as_ref().map(numbers)));
                if let Ok((reader, writer)) = pipe {
                    self.add(Kind::Reader, reader, object);
                    self.add(Kind::Writer, writer, object);
                }
            }
            3..6 => {
                let (initial, flags) =
                    (self.random.below(3) as u32, self.random.pick(&[0, libc::EFD_SEMAPHORE]));
                let made = fd::eventfd(initial, flags | libc::EFD_NONBLOCK);
                self.log.note(format_args!(
                    "eventfd {initial} {flags:#x} = {:?}",
                    made.as_ref().map(Fd::number)
                ));
                made.into_iter().for_each(|fd| self.add(Kind::Event, fd, object));
            }
            6 => {
                let made = timerfd();
                self.log.note(format_args!("timerfd_create = {:?}", made.as_ref().map(Fd::number)));
                made.into_iter().for_each(|fd| self.add(Kind::Timer, fd, object));
            }
            _ => {
                let made = epoll::create1(0);
                self.log.note(format_args!("epoll_create = {:?}", made.as_ref().map(Fd::number)));
                made.into_iter().for_each(|fd| self.add(Kind::Epoll, fd, object));
            }
        }
    }

    pub(crate) fn close(&mut self) {
        let index = self.any();
        let slot = self.slots.swap_remove(index);
        let number = slot.fd.number();
        let closed = slot.fd.close();
        self.log.note(format_args!("close {number} = {closed:?}"));
    }

    pub(crate) fn duplicate(&mut self) {
        let index = self.any();
        let (kind, object) = (self.slots[index].kind, self.slots[index].object);
        let made = self.slots[index].fd.dup();
        let number = self.slots[index].fd.number();
        self.log.note(format_args!("dup {number} = {:?}", made.as_ref().map(Fd::number)));
        made.into_iter().for_each(|fd| self.add(kind, fd, object));
    }

    /// Reads or writes, or sets a timer.
    pub(crate) fn transfer(&mut self) {
        let index = self.any();
        let action = self.action(index);
        let result = action.perform(self.slots[index].fd.number());
        self.log.note(format_args!("{} {action:?} = {result}", self.slots[index].fd.number()));
    }

    /// Chooses an operation for the file.
    pub(crate) fn action(&mut self, index: usize) -> Action {
        let write = self.random.chance(1, 2);
        match self.slots[index].kind {
            Kind::Reader => Action::Read(self.random.pick(&[0, 1, 3, 100, 4096, 5000, 70_000])),
            Kind::Writer => {
                Action::Write(self.random.pick(&[0, 1, 5, 4095, 4096, 4097, 20_000, 70_000]))
            }
            Kind::Event if write => Action::Add(self.random.pick(&[
                0,
                1,
                2,
                1000,
                u64::MAX - 2,
                u64::MAX - 1,
                u64::MAX,
            ])),
            Kind::Event => Action::Read(self.random.pick(&[8, 8, 8, 9, 7])),
            Kind::Timer if write => {
                Action::Set(self.random.pick(&[Alarm::Past, Alarm::Past, Alarm::Far, Alarm::Never]))
            }
            Kind::Timer => Action::Read(8),
            Kind::Epoll => Action::Read(12),
        }
    }

    /// Adds a file to an epoll, changes its events of interest, or removes it.
    pub(crate) fn control(&mut self) {
        const OPERATIONS: [i32; 7] = [
            EPOLL_CTL_ADD,
            EPOLL_CTL_ADD,
            EPOLL_CTL_ADD,
            EPOLL_CTL_MOD,
            EPOLL_CTL_MOD,
            EPOLL_CTL_DEL,
            EPOLL_CTL_ADD,
        ];
        let Some(index) = self.any_of(&[Kind::Epoll]) else { return self.transfer() };
        let target = self.any();
        let operation = self.random.pick(&OPERATIONS);
        let mut events = self.random.pick(&[0, IN, OUT, IN | OUT, IN | OUT | RDHUP, IN | PRI]);
        for (flag, chance) in [(ET, 4), (ONESHOT, 2), (EXCLUSIVE, 1)] {
            if self.random.chance(chance, 12) {
                events |= flag;
            }
        }
        let (instance, file) = (self.slots[index].fd.number(), self.slots[target].fd.number());
        // The data names the file: the next file may get the same descriptor number.
        let data = u64::from(self.slots[target].object) << 32 | file as u64;
        let result = epoll::ctl(instance, operation, file, events, data);
        self.log
            .note(format_args!("epoll_ctl {instance} {operation} {file} {events:#x} = {result:?}"));
    }
}

/// An operation on a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Read(usize),
    Write(usize),
    Add(u64),
    Set(Alarm),
}

/// The expiry of a timer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alarm {
    Past,
    Far,
    Never,
}

impl Action {
    /// Does the operation and returns its result as text.
    pub(crate) fn perform(self, number: i32) -> String {
        // The descriptor is borrowed: its owner closes it.
        let file = std::mem::ManuallyDrop::new(Fd::from_number(number));
        match self {
            Self::Read(most) => match file.read(most) {
                Ok(bytes) => {
                    let sum = bytes
                        .iter()
                        .fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(*byte));
                    format!("{} bytes {sum:#x}", bytes.len())
                }
                Err(error) => format!("{error:?}"),
            },
            Self::Write(count) => {
                let bytes: Vec<_> = (0..count).map(|index| (index * 7 + count) as u8).collect();
                format!("{:?}", file.write(&bytes))
            }
            Self::Add(value) => format!("{:?}", file.write_u64(value)),
            Self::Set(alarm) => {
                let result = set(&file, alarm);
                if let Alarm::Past = alarm {
                    // On Linux it expires in an interrupt, which comes soon, but not within the call.
                    poll::poll(&mut [poll::entry(number, libc::POLLIN)], 1000)
                        .expect("a timer that expires");
                }
                format!("{result:?}")
            }
        }
    }
}

fn timerfd() -> Result<Fd> {
    // SAFETY: no memory is involved.
    unsafe {
        sys::call(
            libc::SYS_timerfd_create,
            [libc::CLOCK_MONOTONIC as usize, libc::TFD_NONBLOCK as usize],
        )
    }
    .map(|number| Fd::from_number(number as i32))
}

fn set(timer: &Fd, alarm: Alarm) -> Result<usize> {
    let value = match alarm {
        Alarm::Past => Duration::from_nanos(1),
        Alarm::Far => Duration::from_secs(1_000_000),
        Alarm::Never => Duration::ZERO,
    };
    let new = [time::timespec(Duration::ZERO), time::timespec(value)];
    let arguments =
        [timer.number() as usize, libc::TFD_TIMER_ABSTIME as usize, new.as_ptr() as usize, 0];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_timerfd_settime, arguments) }
}

fn numbers((reader, writer): &(Fd, Fd)) -> (i32, i32) {
    (reader.number(), writer.number())
}
