//! A file: a counter that is readable while it is not zero, as an eventfd.

use pollee::{Events, Locked, Readiness};

use crate::lock::Std;
use crate::sleeper::Sleeper;

#[derive(Default)]
pub(crate) struct Counter(pub(crate) u64);

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        if self.0 > 0 { Events::IN } else { Events::empty() }
    }
}

pub(crate) type Kernel = Std<Sleeper>;
pub(crate) type File = Locked<Counter, Kernel>;
