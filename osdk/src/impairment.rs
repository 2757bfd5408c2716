//! The impairment test: runs TCP connections while Pollux loses, reorders, duplicates and damages packets.
//!
//! Owns: the rates of the faults.   Not here: the connections (tests/tests/tcp_bulk.rs), the faults themselves
//! (kernel/rules, `net/impairment`).
//! Why: decision 0071.

use std::{
    panic::resume_unwind,
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use anyhow::Result;

use crate::{
    alone::Alone,
    cli::{HardwareOptions, KernelOptions},
    libtest::Tally,
    machine::Machine,
};

/// Its name for `--test`.
pub(crate) const NAME: &str = "impairment";

/// The program, which is one of the guest's tests.
const PROGRAM: &str = "tcp_bulk";

/// The time limit of one network in seconds of the guest, which pass quickly; `LONG` is for 64 MiB.
const SHORT: u64 = 3600;
const LONG: u64 = 24 * 3600;

/// The networks. Guest time is counted in instructions, so waiting for a retransmission costs nothing.
const NETWORKS: [&str; 5] = [
    "loss:5%,reorder:5%,duplicate:5%,seed:1",
    "loss:5%,reorder:5%,duplicate:5%,corrupt:2%,seed:2",
    "loss:2%,reorder:20%,duplicate:2%,corrupt:1%,delay:20,seed:3",
    "reorder:40%,duplicate:20%,seed:4",
    "loss:10%,corrupt:5%,seed:5",
];

/// The number of networks in the short form.
const FEW: usize = 3;

/// Runs the connections on each network, and passes each result to `seen`.
pub(crate) fn run(
    kernel: KernelOptions,
    hardware: &HardwareOptions,
    is_long: bool,
    mut seen: impl FnMut(&str, Tally, Duration, String),
) -> Result<()> {
    let limit = Duration::from_secs(if is_long { LONG } else { SHORT });
    let test = Alone::new(PROGRAM, limit, "POLLUX_IMPAIRED", is_long)?;
    let networks = &NETWORKS[..if is_long { NETWORKS.len() } else { FEW }];
    let machine = |network: &&str| {
        let mut hardware = HardwareOptions { icount: true, ..hardware.clone() };
        hardware.append.push(format!("impair={network}"));
        Machine::prepare(KernelOptions { smp: 1, ..kernel }, &hardware)
    };
    let machines = networks.iter().map(machine).collect::<Result<Vec<_>>>()?;
    // Together: a machine that counts instructions uses one CPU of the host, and does not notice the others.
    let outcomes: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = machines.iter().map(|machine| scope.spawn(|| test.run(machine))).collect();
        running.into_iter().map(ScopedJoinHandle::join).collect()
    });
    for (network, outcome) in networks.iter().zip(outcomes) {
        let outcome = outcome.unwrap_or_else(|panic| resume_unwind(panic))?;
        seen(network, outcome.tally, outcome.elapsed, outcome.note);
    }
    Ok(())
}
