//! `struct signalfd_siginfo`, made from the kernel's `siginfo_t`.
//!
//! Source: signalfd(2); Linux 6.1 fs/signalfd.c (`signalfd_copyinfo`), kernel/signal.c (`siginfo_layout`).

/// Bytes of a record.
pub const RECORD_SIZE: usize = 128;

/// 64-bit words of `siginfo_t`.
const WORDS: usize = 16;
/// `SI_TIMER`.
const SI_TIMER: i32 = -2;
/// `SI_KERNEL`.
const SI_KERNEL: i32 = 0x80;
/// `SIGCHLD`.
const SIGCHLD: u32 = 17;
/// What an instruction caused: `SIGILL`, `SIGTRAP`, `SIGBUS`, `SIGFPE`, `SIGSEGV`.
const FAULTS: [u32; 5] = [4, 5, 7, 8, 11];

/// The largest code of each signal that has codes of its own (`sig_sicodes`).
const CODES: [(u32, i32); 8] = [(4, 11), (5, 6), (7, 5), (8, 15), (11, 9), (SIGCHLD, 6), (29, 6), (31, 2)];

/// Returns whether the kernel knows what a `siginfo_t` of this signal and code holds, which is then no more than its
/// first 48 bytes (`known_siginfo_layout`).
#[must_use]
pub fn is_known(signal: u32, code: i32) -> bool {
    /// Codes of other signals are `SIGPOLL`'s.
    const NSIGPOLL: i32 = 6;
    const SI_DETHREAD: i32 = -7;
    const SI_ASYNCNL: i32 = -60;
    if code > 0 {
        let own = CODES.iter().find(|(other, _)| *other == signal);
        return code == SI_KERNEL || code <= own.map_or(NSIGPOLL, |(_, most)| *most);
    }
    code >= SI_DETHREAD || code == SI_ASYNCNL
}

/// Where fields are in a record.
mod at {
    pub(super) const SIGNO: usize = 0;
    pub(super) const CODE: usize = 8;
    pub(super) const PID: usize = 12;
    pub(super) const UID: usize = 16;
    pub(super) const TID: usize = 24;
    pub(super) const OVERRUN: usize = 32;
    pub(super) const STATUS: usize = 40;
    pub(super) const INT: usize = 44;
    pub(super) const PTR: usize = 48;
    pub(super) const UTIME: usize = 56;
    pub(super) const STIME: usize = 64;
    pub(super) const ADDR: usize = 72;
}

/// Returns the record for a `siginfo_t` of these words. Which of its fields mean something depends on the signal and
/// the code.
#[must_use]
pub fn record(info: &[u64; WORDS]) -> [u8; RECORD_SIZE] {
    let mut record = [0; RECORD_SIZE];
    let signal = info[0] as u32;
    let code = info[1] as u32 as i32;
    put32(&mut record, at::SIGNO, info[0]);
    put32(&mut record, at::CODE, info[1]);
    let is_detailed = code > 0 && code < SI_KERNEL;
    if is_detailed && FAULTS.contains(&signal) {
        put64(&mut record, at::ADDR, info[2]);
    } else if code == SI_TIMER {
        put32(&mut record, at::TID, info[2]);
        put32(&mut record, at::OVERRUN, info[2] >> 32);
        put_value(&mut record, info[3]);
    } else {
        put32(&mut record, at::PID, info[2]);
        put32(&mut record, at::UID, info[2] >> 32);
        if is_detailed && signal == SIGCHLD {
            put32(&mut record, at::STATUS, info[3]);
            put64(&mut record, at::UTIME, info[4]);
            put64(&mut record, at::STIME, info[5]);
        } else if code < 0 || is_detailed {
            put_value(&mut record, info[3]);
        }
    }
    record
}

/// `union sigval`: both of its readings.
fn put_value(record: &mut [u8; RECORD_SIZE], value: u64) {
    put32(record, at::INT, value);
    put64(record, at::PTR, value);
}

/// The low half of `word`.
fn put32(record: &mut [u8; RECORD_SIZE], at: usize, word: u64) {
    record[at..at + 4].copy_from_slice(&(word as u32).to_ne_bytes());
}

fn put64(record: &mut [u8; RECORD_SIZE], at: usize, word: u64) {
    record[at..at + 8].copy_from_slice(&word.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(signal: u32, code: i32, fields: [u64; 4]) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        words[0] = signal.into();
        words[1] = code.cast_unsigned().into();
        words[2..6].copy_from_slice(&fields);
        words
    }

    fn number(record: &[u8; RECORD_SIZE], at: usize) -> u32 {
        u32::from_ne_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    }

    #[test]
    fn codes_are_known_by_signal() {
        assert!(super::is_known(11, 9) && !super::is_known(11, 10));
        assert!(super::is_known(10, 6) && !super::is_known(10, 7));
        assert!(super::is_known(10, 0x80) && super::is_known(10, -7) && super::is_known(10, -60));
        assert!(!super::is_known(10, -8) && !super::is_known(10, i32::MIN));
    }

    #[test]
    fn a_child_s_end_has_its_sender_and_its_status() {
        let record = record(&words(SIGCHLD, 1, [7 | 9 << 32, 3, 0, 0]));
        assert_eq!(
            [at::SIGNO, at::CODE, at::PID, at::UID, at::STATUS].map(|at| number(&record, at)),
            [17, 1, 7, 9, 3]
        );
        assert_eq!(number(&record, at::INT), 0);
    }

    #[test]
    fn a_timer_has_its_overruns_and_no_sender() {
        let record = record(&words(14, SI_TIMER, [5 | 2 << 32, 0x1_0000_0008, 0, 0]));
        assert_eq!(
            [at::PID, at::TID, at::OVERRUN, at::INT, at::PTR].map(|at| number(&record, at)),
            [0, 5, 2, 8, 8]
        );
        assert_eq!(number(&record, at::PTR + 4), 1);
    }

    #[test]
    fn a_queued_signal_has_its_value_and_one_of_kill_has_none() {
        let queued = record(&words(34, -1, [7, 42, 0, 0]));
        assert_eq!([at::PID, at::INT].map(|at| number(&queued, at)), [7, 42]);
        let sent = record(&words(10, 0, [7, 42, 0, 0]));
        assert_eq!([at::PID, at::INT].map(|at| number(&sent, at)), [7, 0]);
    }

    #[test]
    fn a_fault_has_its_address() {
        let record = record(&words(11, 1, [0x1000, 0, 0, 0]));
        assert_eq!([at::PID, at::ADDR].map(|at| number(&record, at)), [0, 0x1000]);
    }
}
