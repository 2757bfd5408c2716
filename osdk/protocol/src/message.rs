//! The messages of init on ttyS3, one per line.
//!
//! The order is: `ready`, then for each job `start`, any number of `more`, `end`; at last `done`.
//! `fault` may come anywhere and is init's last message.

use std::{fmt, str::FromStr, time::Duration};

/// A line on ttyS3, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Init runs and has opened the ports.
    Ready,
    /// Init is about to execute the job with this index.
    Start(usize),
    /// Init wants one [`frame`](crate::frame) of stdin. The host sends none unasked, so no buffer overflows.
    More,
    /// A job has ended, and init has written all its output to the ports.
    End(End),
    /// All jobs have ended; init waits for the host's farewell and powers the machine off.
    Done,
    /// Init cannot go on, for this reason.
    Fault(String),
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Its index in the job list.
    pub job: usize,
    /// The status word that `wait4` returned.
    pub status: i32,
    /// Whether init killed it because it reached its time limit.
    pub cause: Cause,
    /// How many bytes it wrote to stdout.
    pub stdout: u64,
    /// How many bytes it wrote to stderr.
    pub stderr: u64,
    /// How long it ran on the guest's clock.
    pub elapsed: Duration,
}

/// The cause of a job's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The program itself, or something in the guest that killed it.
    Program,
    /// Init, because the job reached its time limit.
    Timeout,
}

/// The error for a line that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl End {
    /// Returns the exit status as a shell reports it: the program's own, or 128 + the signal that killed it.
    pub fn exit_status(&self) -> u8 {
        let signal = self.status & 0x7f;
        // Both cases fit: an exit status has eight bits, a signal number seven.
        if signal == 0 { (self.status >> 8) as u8 } else { 128 + signal as u8 }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => write!(f, "ready"),
            Self::Start(job) => write!(f, "start {job}"),
            Self::More => write!(f, "more"),
            Self::End(End { job, status, cause, stdout, stderr, elapsed }) => {
                let cause = match cause {
                    Cause::Program => "program",
                    Cause::Timeout => "timeout",
                };
                write!(f, "end {job} {status} {cause} {stdout} {stderr} {}", elapsed.as_nanos())
            }
            Self::Done => write!(f, "done"),
            Self::Fault(reason) => write!(f, "fault {}", reason.replace('\n', " ")),
        }
    }
}

impl FromStr for Message {
    type Err = Unknown;

    fn from_str(line: &str) -> Result<Self, Unknown> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "fault" {
            return Ok(Self::Fault(rest.to_owned()));
        }
        let mut fields = rest.split_terminator(' ');
        let message = match word {
            "ready" => Self::Ready,
            "start" => Self::Start(field(&mut fields)?),
            "more" => Self::More,
            "end" => Self::End(End {
                job: field(&mut fields)?,
                status: field(&mut fields)?,
                cause: match fields.next() {
                    Some("program") => Cause::Program,
                    Some("timeout") => Cause::Timeout,
                    _ => return Err(Unknown),
                },
                stdout: field(&mut fields)?,
                stderr: field(&mut fields)?,
                elapsed: Duration::from_nanos(field(&mut fields)?),
            }),
            "done" => Self::Done,
            _ => return Err(Unknown),
        };
        if fields.next().is_none() { Ok(message) } else { Err(Unknown) }
    }
}

fn field<'a, N: FromStr>(fields: &mut impl Iterator<Item = &'a str>) -> Result<N, Unknown> {
    fields.next().and_then(|field| field.parse().ok()).ok_or(Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: End = End {
        job: 7,
        status: 0x0300,
        cause: Cause::Program,
        stdout: 1 << 40,
        stderr: 0,
        elapsed: Duration::from_nanos(1_234_567_890),
    };

    #[test]
    fn parsing_gives_back_what_was_displayed() {
        let timeout = End { cause: Cause::Timeout, status: 9, ..END };
        for message in [
            Message::Ready,
            Message::Start(0),
            Message::More,
            Message::End(END),
            Message::End(timeout),
            Message::Done,
            Message::Fault("cannot open /dev/ttyS1: errno 2".into()),
        ] {
            assert_eq!(message.to_string().parse(), Ok(message));
        }
    }

    #[test]
    fn noise_is_no_message() {
        for line in ["", "hello", "start", "start x", "start 1 2", "end 1 2 program 3 4", "ready 1"] {
            let parsed: Result<Message, Unknown> = line.parse();
            assert_eq!(parsed, Err(Unknown), "{line:?}");
        }
    }

    #[test]
    fn exit_status_is_the_programs_or_128_and_the_signal() {
        let status = |status| End { status, ..END }.exit_status();
        assert_eq!(status(0), 0);
        assert_eq!(status(255 << 8), 255);
        assert_eq!(status(9), 137);
        assert_eq!(status(11 | 0x80), 139, "the core-dump flag is no part of the signal");
    }
}
