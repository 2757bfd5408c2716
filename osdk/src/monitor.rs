//! Asks QEMU's monitor where a hung kernel is, and what is on its screen.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use crate::symbols::Symbols;

/// The silence of the monitor after which its answer counts as complete.
const SILENCE: Duration = Duration::from_millis(300);

/// Returns a line for each CPU: whether it is halted, and its innermost functions.
pub(crate) fn whereabouts(monitor: &mut UnixStream, symbols: &Symbols) -> String {
    let answer = ask(monitor, "info registers -a").unwrap_or_default();
    describe(&answer, |address| symbols.functions(address))
}

/// Makes QEMU write a picture of the screen to a file.
pub(crate) fn screenshot(monitor: &mut UnixStream, path: &Path) -> std::io::Result<()> {
    ask(monitor, &format!("screendump {}", path.display())).map(drop)
}

fn ask(monitor: &mut UnixStream, question: &str) -> std::io::Result<String> {
    monitor.set_read_timeout(Some(SILENCE))?;
    monitor.write_all(format!("{question}\n").as_bytes())?;
    let mut answer = Vec::new();
    // The read ends with the time-out, which is no error: the bytes read so far stay.
    let _ = monitor.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Parses `CPU#0`, then among much else `RIP=ffffffff88001234 RFL=00000246 … HLT=1`.
fn describe(answer: &str, functions: impl Fn(u64) -> Vec<String>) -> String {
    let mut text = String::new();
    let mut cpu = "";
    for line in answer.lines() {
        if let Some((_, number)) = line.split_once("CPU#") {
            cpu = number.trim();
        }
        let Some(rest) = line.strip_prefix("RIP=") else { continue };
        let digits = rest.split(' ').next().unwrap_or_default();
        let Ok(address) = u64::from_str_radix(digits, 16) else { continue };
        let mode = match (rest.contains("CPL=3"), rest.contains("HLT=1")) {
            (true, _) => "in the program",
            (false, true) => "halted",
            (false, false) => "in the kernel",
        };
        text.push_str(&format!("CPU {cpu} {mode} at {address:#x}\n"));
        if mode != "in the program" {
            functions(address).iter().for_each(|name| text.push_str(&format!("      {name}\n")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cpu_has_its_place() {
        let answer = "(qemu) info registers -a\r\n\r\nCPU#0\r\nRAX=0 RBX=0\r\n\
                      RIP=ffffffff88001234 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n\r\nCPU#1\r\n\
                      RIP=0000000000401000 RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=0\r\n";
        let text = describe(answer, |_| vec!["idle".to_owned()]);
        let expected = "CPU 0 halted at 0xffffffff88001234\n      idle\nCPU 1 in the program at 0x401000\n";
        assert_eq!(text, expected);
    }
}
