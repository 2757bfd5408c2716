//! Times requests to the HTTP server in the guest, by clients on the host, through the network card.
//!
//! It measures wall time only: a guest that waits for the host executes instructions meanwhile, which mean nothing.

use anyhow::Result;

use super::results::{Clock, Figure, Results, Subject};
use crate::{
    cli::{HardwareOptions, KernelOptions},
    network::{self, BOOT},
    visit,
};

/// The group's name.
pub(super) const GROUP: &str = "http";

/// Simultaneous clients, each with its own connection.
const CLIENTS: [u32; 3] = [1, 4, 16];

/// Requests of all clients together. The guest answers some thousand per second.
const REQUESTS: u32 = 2000;
const QUICK: u32 = 400;

/// Boots the kernel, measures, and compares every answer.
pub(super) fn measure(
    subject: Subject,
    kernel: KernelOptions,
    hardware: &HardwareOptions,
    is_quick: bool,
) -> Result<Results> {
    let (session, port) = network::serve(kernel, hardware)?;
    let mut results = Results::default();
    let mut measure = |clients| -> Result<()> {
        let time = network::time_of_a_request(port, clients, if is_quick { QUICK } else { REQUESTS })?;
        let nanos = time.as_nanos() as f64;
        let figure = Figure { median: nanos, least: nanos, most: nanos };
        results.add(("http_request".to_owned(), clients.into()), subject, Clock::Wall, figure);
        Ok(())
    };
    let outcome =
        visit::await_server(port, BOOT).and_then(|_| CLIENTS.into_iter().try_for_each(&mut measure));
    if let Err(error) = outcome {
        eprintln!("pollux: {subject}, {GROUP}: {error:#}\n{}", session.last_words());
        results.fail(subject, Clock::Wall, GROUP);
    }
    Ok(results)
}
