//! The text of trace events: a line of `/proc/trace`, and of a panic's message.
//!
//! Not here: the events (`machine/trace`).

use core::fmt;

use syscalls::Sysno;

use crate::core::event::class::Class;
use crate::machine::trace::{Event, Kind};

/// An event as a line of text. Formatting it allocates nothing, for a kernel that panics.
pub(crate) struct Line(pub(crate) Event);

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { time, cpu, kind, tid, number } = self.0;
        let microseconds = u128::from(time) * 1_000_000 / u128::from(ostd::arch::tsc_freq().max(1));
        write!(out, "{:>12} us  cpu {}  ", microseconds, cpu)?;
        match tid {
            0 => write!(out, "thread    -  ")?,
            tid => write!(out, "thread {tid:>4}  ")?,
        }
        let class = || Class::COUNTED.get(number as usize).map_or("?", |class| class.name());
        match kind {
            Kind::Enter => match Sysno::new(number as usize) {
                Some(name) => write!(out, "{name}"),
                None => write!(out, "syscall {}", number),
            },
            Kind::Leave => write!(out, "  returns {}", number.cast_signed()),
            Kind::Notify => write!(out, "  {} tells its watchers", class()),
            Kind::SpuriousWake => write!(out, "  spurious wake by {}", class()),
            Kind::Sleep => write!(out, "  sleeps"),
            Kind::Wake if number == 0 => write!(out, "  is woken"),
            Kind::Wake => write!(out, "  wakes, its time is up"),
            Kind::Fault => write!(out, "fault at {:#x}", number),
        }
    }
}
