//! The test of the shell: runs `pollux run` on a pseudo-terminal and types as a user would.
//!
//! Owns: the terminal, the input and the expected answers.   Not here: the shell (`shell`).

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::{Child, Command},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::{
    fs::{Mode, OFlags},
    pty::{self, OpenptFlags},
    termios::{self, Winsize},
};

use crate::{cli::KernelOptions, libtest::Tally};

/// Its name for `--test`.
pub(crate) const NAME: &str = "dialogue";

/// The time limits of the boot with the tour, and of each answer after it.
const LIMIT: Duration = Duration::from_secs(90);

/// The end of the prompt. Input typed before it appears could go to the program that still runs.
const PROMPT: &str = "# ";

/// The pause between keys that a person would not press at once.
const PAUSE: Duration = Duration::from_millis(500);

/// The event to wait for after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    /// The next prompt.
    Prompt,
    /// Nothing: the program goes on and reads the next input.
    More,
}
use Then::{More, Prompt};

/// The input, and the text that the terminal must show after it. The terminal also echoes the input, so each answer
/// is a text that the input does not contain.
const DIALOGUE: [(&str, &str, Then); 19] = [
    ("", "The end: 8 steps, every result as Linux has it.", Prompt),
    ("echo $((6 * 7)) | tr 24 xy\r", "yx", Prompt),
    ("stty size\r", "30 90", Prompt),
    ("sleep 100\r\x03", "^C", Prompt),
    ("echo was $?\r", "was 130", Prompt),
    ("sleep 100\r\x1a", "Stopped", Prompt),
    ("jobs | tr a-z A-Z\r", "SLEEP 100", Prompt),
    ("kill -9 %1; wait; seq 500 1000 | sort -r | uniq | wc -l\r", "501", Prompt),
    ("\x1b[A\r", "501", Prompt),
    ("wget -q -O - http://127.0.0.1/bytes/1234 | wc -c | tr 1-4 5-8\r", "5678", Prompt),
    ("echo never\x15exho\x7f\x7f\x7fcho ok | tr k K\r", "oK", Prompt),
    ("ps | grep httpd | tr a-z A-Z\r", "/HTTPD", Prompt),
    ("top -b -n 1 | head -n 1 | tr a-z A-Z\r", "K USED, ", Prompt),
    ("top\r", "Load average: ", More),
    ("q", "", Prompt),
    ("vi /tmp/note\r", "1/1", More),
    ("isome words\x1b", "words", More),
    (":wq\r", "", Prompt),
    ("tr a-z A-Z </tmp/note\r", "SOME WORDS", Prompt),
];

/// The end-of-file character.
const END: &str = "\x04";

/// A simulated user at a terminal.
struct Typist {
    terminal: File,
    output: mpsc::Receiver<Vec<u8>>,
    seen: String,
    child: Child,
}

/// Holds the conversation. Returns `Err` if it could not begin.
pub(crate) fn run(kernel: KernelOptions) -> Result<(Tally, String)> {
    let mut typist = Typist::sit_down(kernel)?;
    for (typed, answer, then) in DIALOGUE {
        if let Err(error) = typist.ask(typed, answer, then) {
            let note = format!("{error:#} after typing {typed:?}; the terminal:\n{}", typist.seen);
            return Ok((Tally { failed: 1, ..Tally::default() }, note));
        }
    }
    typist.say(END)?;
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        match typist.child.try_wait().context("pollux run is gone")? {
            None if Instant::now() < deadline => thread::sleep(PAUSE),
            status => break status,
        }
    };
    let is_good = status.is_some_and(|status| status.success());
    let tally = Tally { passed: u32::from(is_good), failed: u32::from(!is_good), ..Tally::default() };
    Ok((tally, format!("it ended with {status:?}; the terminal:\n{}", typist.seen)))
}

impl Typist {
    fn sit_down(kernel: KernelOptions) -> Result<Self> {
        let ours = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        pty::grantpt(&ours)?;
        pty::unlockpt(&ours)?;
        let name = pty::ptsname(&ours, Vec::new())?;
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        termios::tcsetwinsize(&theirs, Winsize { ws_row: 30, ws_col: 90, ws_xpixel: 0, ws_ypixel: 0 })?;
        let stream = |fd: &OwnedFd| fd.try_clone().context("no descriptor is free");
        let smp = kernel.smp.to_string();
        // Run this program, even if a build has replaced its file.
        let child = Command::new("/proc/self/exe")
            .args(["run", "--smp", &smp])
            .stdin(stream(&theirs)?)
            .stdout(stream(&theirs)?)
            .stderr(theirs)
            .spawn()
            .context("cannot start pollux run")?;
        let terminal = File::from(ours);
        let mut screen = terminal.try_clone()?;
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The terminal's end is an error: no process has it open any more.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { terminal, output, seen: String::new(), child })
    }

    /// Types a line, and waits for the answer and then for the event after it.
    fn ask(&mut self, typed: &str, answer: &str, then: Then) -> Result<()> {
        self.say(typed)?;
        self.hear(answer)?;
        if then == Prompt { self.hear(PROMPT) } else { Ok(()) }
    }

    /// Types keys, with a pause after each carriage return, as a person would.
    fn say(&mut self, typed: &str) -> Result<()> {
        for part in typed.split_inclusive('\r') {
            self.terminal.write_all(part.as_bytes()).context("the terminal is gone")?;
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Waits until the terminal shows `answer`, and discards all text up to it.
    fn hear(&mut self, answer: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !self.seen.contains(answer) {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => bail!("no {answer:?}"),
            }
        }
        let end = self.seen.find(answer).map_or(0, |start| start + answer.len());
        self.seen.drain(..end);
        Ok(())
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        // The child has ended already, unless something went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
