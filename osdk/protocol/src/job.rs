//! The job list: the programs that init runs, one after the other, and their standard streams.
//!
//! Encoding: each field ends with a NUL byte, the only byte that no argument or environment entry can
//! hold. Numbers are decimal.
//!
//! ```text
//! stdio, number of jobs, { timeout in ms (0 = none), argc, argv…, envc, env… }…
//! ```

use std::{ffi::CString, str::FromStr, time::Duration};

/// The path of the list in the initramfs.
pub const PATH: &str = "/init.jobs";

/// The standard streams of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// Pipes that init copies to and from the serial ports, where the host is.
    Ports,
    /// The console itself, for a person in front of the machine. No host is involved.
    Console,
}

/// One program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The program's path in the guest, which is also its `argv[0]`, then its arguments.
    pub argv: Vec<CString>,
    /// The whole environment, as `NAME=value`.
    pub env: Vec<CString>,
    /// The time after which init kills the program; `None` is never.
    pub timeout: Option<Duration>,
}

/// The content of the file at [`PATH`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobList {
    /// The streams of all jobs.
    pub stdio: Stdio,
    /// The jobs, in the order in which they run.
    pub jobs: Vec<Job>,
}

/// The error for bytes that are not a job list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl JobList {
    /// Encodes the list as the bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Fields(Vec::new());
        fields.bytes(match self.stdio {
            Stdio::Ports => b"ports",
            Stdio::Console => b"console",
        });
        fields.number(self.jobs.len() as u128);
        for job in &self.jobs {
            fields.number(job.timeout.map_or(0, |timeout| timeout.as_millis().max(1)));
            fields.list(&job.argv);
            fields.list(&job.env);
        }
        fields.0
    }

    /// Decodes what [`JobList::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = bytes.strip_suffix(b"\0").ok_or(Malformed)?.split(|&byte| byte == 0);
        let stdio = match fields.next() {
            Some(b"ports") => Stdio::Ports,
            Some(b"console") => Stdio::Console,
            _ => return Err(Malformed),
        };
        let count: usize = number(&mut fields)?;
        let mut jobs = Vec::new();
        for _ in 0..count {
            let timeout = Some(number(&mut fields)?).filter(|&ms| ms != 0).map(Duration::from_millis);
            let argv = list(&mut fields)?;
            let env = list(&mut fields)?;
            jobs.push(Job { argv, env, timeout });
        }
        if fields.next().is_some() || jobs.iter().any(|job| job.argv.is_empty()) {
            return Err(Malformed);
        }
        Ok(Self { stdio, jobs })
    }
}

struct Fields(Vec<u8>);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.push(0);
    }

    fn number(&mut self, number: u128) {
        self.bytes(number.to_string().as_bytes());
    }

    fn list(&mut self, items: &[CString]) {
        self.number(items.len() as u128);
        for item in items {
            self.bytes(item.as_bytes());
        }
    }
}

fn number<'a, N: FromStr>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Result<N, Malformed> {
    let field = fields.next().ok_or(Malformed)?;
    std::str::from_utf8(field).ok().and_then(|digits| digits.parse().ok()).ok_or(Malformed)
}

fn list<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Result<Vec<CString>, Malformed> {
    let count: usize = number(fields)?;
    let items: Result<Vec<CString>, _> = fields.take(count).map(CString::new).collect();
    items.ok().filter(|items| items.len() == count).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> JobList {
        let job = Job {
            argv: vec![c"/bin/sh".into(), c"-c".into(), c"".into(), c"echo \"a\nb\" \xff".into()],
            env: vec![c"PATH=/bin".into()],
            timeout: Some(Duration::from_secs(3)),
        };
        let bare = Job { argv: vec![c"/bin/true".into()], env: vec![], timeout: None };
        JobList { stdio: Stdio::Ports, jobs: vec![job, bare] }
    }

    #[test]
    fn decoding_gives_back_what_was_encoded() {
        assert_eq!(JobList::decode(&sample().encode()), Ok(sample()));
        let console = JobList { stdio: Stdio::Console, ..sample() };
        assert_eq!(JobList::decode(&console.encode()), Ok(console));
    }

    #[test]
    fn a_timeout_below_the_unit_does_not_become_none() {
        let mut list = sample();
        list.jobs[0].timeout = Some(Duration::from_nanos(1));
        let decoded = JobList::decode(&list.encode()).map(|list| list.jobs[0].timeout);
        assert_eq!(decoded, Ok(Some(Duration::from_millis(1))));
    }

    #[test]
    fn every_truncation_is_malformed() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert_eq!(JobList::decode(&bytes[..length]), Err(Malformed), "{length} bytes");
        }
    }

    #[test]
    fn a_job_without_a_program_is_malformed() {
        assert_eq!(JobList::decode(b"ports\x001\x000\x000\x000\0"), Err(Malformed));
    }
}
