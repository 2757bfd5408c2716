//! Init: runs the jobs it finds in the initramfs, reports how they ended, and powers the machine off.
//!
//! Owns: process 1's duties (mounting `/dev`, network interfaces, reaping orphans, power-off).
//! Not here: the messages to the host (crate `pollux_protocol`).
//! The same binary is `/init` on Pollux and on Linux. It needs few system calls and one thread, so that an
//! incomplete kernel can run it.

mod files;
mod network;
mod port;
mod process;
mod relay;

use std::{io, time::Instant};

use pollux_protocol::{
    job::{self, JobList, Stdio},
    message::Message,
};

use crate::{port::Ports, process::Child, relay::Relay};

fn main() {
    files::prepare();
    network::raise();
    if let Err(reason) = run() {
        eprintln!("init: {reason}");
    }
    let error = process::power_off();
    eprintln!("init: cannot power off: {error}");
    // Process 1 must not return: both kernels panic at its end.
    loop {
        std::thread::park();
    }
}

fn run() -> Result<(), String> {
    let bytes = std::fs::read(job::PATH).map_err(|error| format!("{}: {error}", job::PATH))?;
    let list = JobList::decode(&bytes).map_err(|_| format!("{}: not a job list", job::PATH))?;
    match list.stdio {
        Stdio::Console => on_console(&list).map_err(|error| error.to_string()),
        Stdio::Ports => {
            let mut ports = Ports::open()?;
            on_ports(&list, &mut ports).map_err(|error| {
                // Log it too, in case the port is broken.
                let _ = ports.say(&Message::Fault(error.to_string()));
                error.to_string()
            })
        }
    }
}

/// Runs the jobs on the console, that is, with init's own standard streams.
fn on_console(list: &JobList) -> io::Result<()> {
    for job in &list.jobs {
        let child = Child::start(job, None)?;
        let started = Instant::now();
        let mut killed = false;
        while child.reap()?.is_none() {
            if !killed && job.timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
                process::kill_all();
                killed = true;
            }
            std::thread::sleep(relay::TICK);
        }
        process::kill_all();
    }
    Ok(())
}

/// Runs the jobs with the host at the other end of the serial ports.
fn on_ports(list: &JobList, ports: &mut Ports) -> io::Result<()> {
    ports.say(&Message::Ready)?;
    for (index, job) in list.jobs.iter().enumerate() {
        ports.say(&Message::Start(index))?;
        let end = Relay::start(job, ports)?.run(index)?;
        ports.say(&Message::End(end))?;
    }
    ports.say(&Message::Done)?;
    ports.wait_for_farewell()
}
