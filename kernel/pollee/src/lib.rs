//! I/O readiness for kernels: one word for each file that caches what is ready and knows who cares.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod events;
#[cfg(not(feature = "loom"))]
#[expect(dead_code, unreachable_pub, reason = "seeding exists only with the feature")]
mod fault;
#[cfg(feature = "loom")]
pub mod fault;
mod host;
mod list;
mod locked;
mod policy;
mod pollee;
mod poller;
mod sync;
mod watch;
mod watchers;
pub mod word;

pub use events::Events;
pub use host::{Count, Host, Lock, Mark, Marked, Wake};
pub use locked::{Guard, Locked, ReadGuard, Readiness, Wakeup};
pub use policy::{Hybrid, Policy, Stateful, Stateless};
pub use pollee::{Notification, Pollee};
pub use poller::{Poller, Waiting};
pub use watch::{NoMemory, Share, Token, Watch, Watcher};
pub use word::Word;
