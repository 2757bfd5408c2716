//! The files that the operations use.

use pollux_tests::Fd;
use pollux_tests::random::Random;

use crate::helper::Helper;
use crate::log::Log;

/// The number of files at a time.
const MOST: usize = 14;

/// The object that a descriptor refers to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Reader,
    Writer,
    Event,
    Timer,
    Epoll,
}

/// A descriptor. Descriptors of the same object have the same `object`.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) fd: Fd,
    pub(crate) kind: Kind,
    pub(crate) object: u32,
}

pub(crate) struct World<'a> {
    pub(crate) slots: Vec<Slot>,
    pub(crate) random: Random,
    pub(crate) log: &'a mut Log,
    pub(crate) helper: Helper,
    objects: u32,
}

impl<'a> World<'a> {
    pub(crate) fn new(seed: u64, log: &'a mut Log) -> Self {
        Self {
            slots: Vec::new(),
            random: Random::new(seed),
            log,
            helper: Helper::new(),
            objects: 0,
        }
    }

    /// Does `count` operations.
    pub(crate) fn run(mut self, count: u64) {
        for _ in 0..count {
            match self.random.below(100) {
                _ if self.slots.len() < 4 => self.create(),
                0..6 if self.slots.len() < MOST => self.create(),
                0..8 => self.close(),
                8 => self.bequeath(),
                9..12 if self.slots.len() < MOST => self.duplicate(),
                9..30 => self.transfer(),
                30..55 => self.control(),
                _ => self.wait(),
            }
            self.log.next();
        }
    }

    /// Chooses a descriptor, and returns its index.
    pub(crate) fn any(&mut self) -> usize {
        self.random.below(self.slots.len())
    }

    /// Chooses a descriptor of these kinds, and returns its index, if there is one.
    pub(crate) fn any_of(&mut self, kinds: &[Kind]) -> Option<usize> {
        let found: Vec<_> = (0..self.slots.len())
            .filter(|index| kinds.contains(&self.slots[*index].kind))
            .collect();
        if found.is_empty() { None } else { Some(self.random.pick(&found)) }
    }

    pub(crate) fn add(&mut self, kind: Kind, fd: Fd, object: u32) {
        self.slots.push(Slot { fd, kind, object });
    }

    pub(crate) fn new_object(&mut self) -> u32 {
        self.objects += 1;
        self.objects
    }
}
