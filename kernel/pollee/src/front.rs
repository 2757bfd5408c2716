//! What a file shows to everybody, without a lock: its word, and what kind of file it is.
//!
//! Owns: looking.   Not here: what the word means (`word`), computing what it does not say (`locked`, `pollee`).
//! Why: decision 0054.

use crate::host::Count;
use crate::word::Word;
use crate::{Events, Host};

/// The readiness word of a file and the class for which its looks are counted.
///
/// Who asks thousands of files can keep a reference to the front of each, and save the way through the file.
pub struct Front<H: Host> {
    pub(crate) word: Word,
    class: H::Class,
}

impl<H: Host> Front<H> {
    pub(crate) const fn new(word: Word, class: H::Class) -> Self {
        Self { word, class }
    }

    /// The file's readiness, if it is cached: one load. The caller counts the [`Count::Hit`]; where there is none, it
    /// asks the file, which counts by itself.
    #[inline]
    pub fn peek(&self) -> Option<Events> {
        let seen = self.word.load();
        seen.is_cached().then(|| seen.events())
    }

    /// What kind of file it is.
    #[inline]
    pub const fn class(&self) -> H::Class {
        self.class
    }

    #[inline]
    pub(crate) fn count(&self, what: Count) {
        H::count(self.class, what);
    }
}
