//! The part of a file that anybody may look at without a lock.
//!
//! Why: decision 0054.

use crate::host::Count;
use crate::word::ReadinessWord;
use crate::{Events, Host};

/// The readiness word of a file, and the class of object for which its events are counted.
///
/// A caller that polls thousands of files can hold each file's header and skip the virtual call.
pub struct ReadinessHeader<H: Host> {
    pub(crate) word: ReadinessWord,
    class: H::Class,
}

impl<H: Host> ReadinessHeader<H> {
    pub(crate) const fn new(word: ReadinessWord, class: H::Class) -> Self {
        Self { word, class }
    }

    /// The file's readiness, if it is cached: one load. The caller counts the [`Count::Hit`]. On `None` it polls
    /// the file, which counts by itself.
    #[inline]
    pub fn events(&self) -> Option<Events> {
        self.word.events()
    }

    /// The class of object.
    #[inline]
    pub const fn class(&self) -> H::Class {
        self.class
    }

    #[inline]
    pub(crate) fn count(&self, what: Count) {
        H::count(self.class, what);
    }
}
