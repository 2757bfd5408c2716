//! Runs the tests inside the kernel: one boot in which OSDK's test runner takes the place of init.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    initramfs::Initramfs,
    machine::Machine,
    session::{Event, Session},
};

/// QEMU's exit statuses when the kernel writes success, or failure, to its exit device.
const SUCCESS: i32 = 33;
const FAILURE: i32 = 65;

/// The result of the boot.
pub(crate) struct Outcome {
    /// The runner's output.
    pub(crate) log: String,
    /// The status as a test program has it: 101 for failed cases. `None` if the kernel hung or died.
    pub(crate) status: Option<u8>,
    /// Details to print, such as why the kernel went down.
    pub(crate) note: String,
}

/// Boots and waits for the end.
pub(crate) fn run(machine: &Machine, limit: Option<Duration>) -> Result<Outcome> {
    let deadline = limit.filter(|_| !machine.is_debugged()).map(|limit| Instant::now() + limit);
    let mut session = Session::start(machine, &Initramfs::new()?.finish()?)?;
    loop {
        let (status, note) = match session.next(deadline)? {
            Event::Exited(status) => match status.code() {
                Some(SUCCESS) => (Some(0), String::new()),
                Some(FAILURE) => (Some(101), String::new()),
                _ => (None, session.downfall(status)),
            },
            Event::TimedOut => (None, format!("{}the kernel hangs", session.whereabouts())),
            Event::Output(..) | Event::Message(_) => continue,
        };
        let log = machine.symbols().readable(&plain(&String::from_utf8_lossy(session.log())));
        return Ok(Outcome { log, status, note });
    }
}

/// Removes colours from a text: sequences from an escape to an `m`.
fn plain(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    let rest = pieces.map(|piece| piece.split_once('m').map_or(piece, |(_, text)| text));
    first + &rest.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_away() {
        assert_eq!(plain("result: \x1b[32mok\x1b[39m. 5 passed"), "result: ok. 5 passed");
        assert_eq!(plain("plain"), "plain");
    }
}
