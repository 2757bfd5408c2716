//! Does operations that may wait: select, poll, epoll_wait, and blocking reads.

use std::time::Duration;

use libc::{O_NONBLOCK, POLLIN, POLLOUT, POLLPRI, POLLRDHUP};
use pollux_tests::epoll;
use pollux_tests::poll::{self, entry};
use pollux_tests::select::{self, FdSet, Sets};

use crate::operate::{Action, Alarm};
use crate::world::{Kind, World};

/// The timeout in milliseconds of a wait for nothing.
const SHORT: i32 = 1;
/// The timeout in milliseconds of a wait that a second thread ends.
const LONG: i32 = 10_000;

/// A wait, described before it begins.
enum Wait {
    Poll(Vec<libc::pollfd>),
    Select { read: Vec<i32>, write: Vec<i32>, except: Vec<i32> },
    Epoll { instance: i32, most: usize },
}

impl World<'_> {
    pub(crate) fn wait(&mut self) {
        self.log.waits.all += 1;
        match self.random.below(20) {
            0..5 => self.wait_for_the_helper(),
            5..9 => self.read_from_the_helper(),
            9..12 => self.wait_alone(SHORT),
            _ => self.wait_alone(0),
        }
    }

    /// Waits for something that is there already, or never comes.
    fn wait_alone(&mut self, timeout: i32) {
        let mut wait = self.make_out();
        let is_ready = wait.is_ready();
        self.log.waits.ready += u64::from(is_ready);
        self.log.waits.blocked += u64::from(!is_ready && timeout != 0);
        let result = wait.perform(timeout);
        self.log.note(format_args!("{result}"));
    }

    /// Waits while the other thread changes one of the files. The wait returns the same whether it begins before the
    /// change or after it: it waits for one event, which the change makes ready.
    fn wait_for_the_helper(&mut self) {
        let Some(target) = self.any_of(&[Kind::Reader, Kind::Event, Kind::Timer]) else {
            return self.wait_alone(0);
        };
        let kind = self.slots[target].kind;
        let number = self.slots[target].fd.number();
        let action = match kind {
            Kind::Event => Some((number, Action::Add(1))),
            Kind::Timer => Some((number, Action::Set(Alarm::Past))),
            _ => self.writer_of(target).map(|writer| (writer, Action::Write(5))),
        };
        let Some((writer, action)) = action else { return self.wait_alone(0) };
        let mut wait = if self.random.chance(1, 2) {
            Wait::Poll(vec![entry(number, POLLIN)])
        } else {
            Wait::Select { read: vec![number], write: Vec::new(), except: Vec::new() }
        };
        self.log.waits.with_two_threads += 1;
        if wait.is_ready() {
            self.log.waits.ready += 1;
            self.helper.begin(move || action.perform(writer));
            let acted = self.helper.join();
            let result = wait.perform(LONG);
            return self.log.note(format_args!("{result}, after {action:?} = {acted}"));
        }
        self.log.waits.blocked += 1;
        self.helper.begin(move || action.perform(writer));
        let result = wait.perform(LONG);
        let acted = self.helper.join();
        self.log.note(format_args!("{result}, during {action:?} = {acted}"));
    }

    /// Reads from an empty pipe or eventfd, blocking until the other thread has written.
    fn read_from_the_helper(&mut self) {
        let Some(target) = self.any_of(&[Kind::Reader, Kind::Event]) else {
            return self.wait_alone(0);
        };
        let number = self.slots[target].fd.number();
        let action = match self.slots[target].kind {
            Kind::Event => Some((number, Action::Add(3))),
            _ => self.writer_of(target).map(|writer| (writer, Action::Write(4097))),
        };
        let Some((writer, action)) = action else { return self.wait_alone(0) };
        if poll::ready_number(number, POLLIN) != 0 {
            return self.wait_alone(0);
        }
        self.log.waits.with_two_threads += 1;
        self.log.waits.blocked += 1;
        // All descriptors of the file share the flag, including the writing one of an eventfd, which has room for 3.
        self.slots[target].fd.set_flags(0).expect("a descriptor of ours");
        self.helper.begin(move || action.perform(writer));
        let read = Action::Read(8).perform(number);
        let acted = self.helper.join();
        self.slots[target].fd.set_flags(O_NONBLOCK).expect("a descriptor of ours");
        self.log.note(format_args!("{number} Read(8) = {read}, during {action:?} = {acted}"));
    }

    fn writer_of(&self, reader: usize) -> Option<i32> {
        let object = self.slots[reader].object;
        let is_writer =
            |slot: &&crate::world::Slot| slot.object == object && slot.kind == Kind::Writer;
        self.slots.iter().find(is_writer).map(|slot| slot.fd.number())
    }

    fn make_out(&mut self) -> Wait {
        match self.random.below(4) {
            0 => Wait::Poll(
                self.some().into_iter().map(|number| entry(number, self.events())).collect(),
            ),
            1 => Wait::Select { read: self.some(), write: self.some(), except: self.some() },
            _ => match self.any_of(&[Kind::Epoll]) {
                Some(index) => {
                    let instance = self.slots[index].fd.number();
                    Wait::Epoll { instance, most: self.random.pick(&[1, 2, 3, 16]) }
                }
                None => Wait::Poll(vec![entry(self.slots[0].fd.number(), POLLIN)]),
            },
        }
    }

    fn events(&mut self) -> i16 {
        self.random.pick(&[0, POLLIN, POLLOUT, POLLIN | POLLOUT, POLLIN | POLLPRI | POLLRDHUP])
    }

    fn some(&mut self) -> Vec<i32> {
        let count = self.random.below(5);
        (0..count)
            .map(|_| self.any())
            .collect::<Vec<_>>()
            .into_iter()
            .map(|i| self.slots[i].fd.number())
            .collect()
    }
}

impl Wait {
    /// Whether the wait would return at once. Checks without consuming an event.
    fn is_ready(&self) -> bool {
        match self {
            Self::Poll(entries) => poll::poll(&mut entries.clone(), 0) != Ok(0),
            Self::Select { read, write, except } => {
                let mut sets = sets(read, write, except);
                select::select(64, &mut sets, Some(Duration::ZERO)).0 != Ok(0)
            }
            Self::Epoll { instance, .. } => poll::ready_number(*instance, POLLIN) != 0,
        }
    }

    fn perform(&mut self, timeout: i32) -> String {
        match self {
            Self::Poll(entries) => {
                let result = poll::poll(entries, timeout);
                let seen: Vec<_> =
                    entries.iter().map(|entry| (entry.fd, entry.events, entry.revents)).collect();
                format!("poll {timeout} {seen:x?} = {result:?}")
            }
            Self::Select { read, write, except } => {
                let mut sets = sets(read, write, except);
                let time = Duration::from_millis(timeout as u64);
                let result = select::select(64, &mut sets, Some(time)).0;
                let seen = [&sets.read, &sets.write, &sets.except]
                    .map(|set| set.as_ref().map(FdSet::members).unwrap_or_default());
                format!("select {timeout} {read:?} {write:?} {except:?} = {result:?} {seen:?}")
            }
            Self::Epoll { instance, most } => {
                let result = epoll::wait(*instance, *most, timeout);
                let seen = result
                    .map(|events| events.iter().map(|e| (e.events, e.data)).collect::<Vec<_>>());
                format!("epoll_wait {instance} {most} {timeout} = {seen:x?}")
            }
        }
    }
}

fn sets(read: &[i32], write: &[i32], except: &[i32]) -> Sets {
    Sets {
        read: Some(FdSet::of(read)),
        write: Some(FdSet::of(write)),
        except: Some(FdSet::of(except)),
    }
}
