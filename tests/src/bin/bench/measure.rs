//! Measures rounds in ticks, and prints the line of a row.

use core::arch::x86_64::_rdtsc;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use pollux_tests::Errno;

/// The effort of a measurement.
#[derive(Debug, PartialEq, Eq)]
pub enum Effort {
    /// A few seconds for everything.
    Quick,
    /// Until the figures are good to one per cent.
    Full,
    /// One row for ever.
    Endless {
        /// The row's name.
        name: String,
        /// Its number of files.
        n: usize,
    },
}

/// The reason why a row has no figure.
#[derive(Debug)]
pub struct Failure(String);

/// The result of a measured operation.
pub type Outcome<T = ()> = Result<T, Failure>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self(format!("{errno:?}"))
    }
}

/// Compares the result of a call with the expected one.
pub fn expect<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Outcome {
    if got == wanted { Ok(()) } else { Err(wrong(what, &got, &wanted)) }
}

#[cold]
fn wrong(what: &str, got: &dyn Debug, wanted: &dyn Debug) -> Failure {
    Failure(format!("{what}: {got:?} instead of {wanted:?}"))
}

/// Reads the time stamp counter.
pub fn ticks() -> u64 {
    // SAFETY: every processor of this architecture has the counter, and both kernels let programs read it.
    unsafe { _rdtsc() }
}

/// A stopwatch that runs during the counted part of an operation.
#[derive(Debug, Default)]
pub struct Stopwatch {
    ticks: u64,
}

impl Stopwatch {
    /// Counts the ticks of `work`.
    #[inline]
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = ticks();
        let result = work();
        self.ticks += ticks() - start;
        result
    }
}

/// Rounds per row; their median is the figure.
const ROUNDS: usize = 5;

/// The benchmark's settings.
#[derive(Debug)]
pub struct Bench {
    effort: Effort,
}

impl Bench {
    /// Makes a benchmark of this effort.
    pub fn new(effort: Effort) -> Self {
        Self { effort }
    }

    /// Whether the benchmark skips the largest rows.
    pub fn is_quick(&self) -> bool {
        self.effort == Effort::Quick
    }

    /// Measures a row over `n` files (0: without a number) and prints its line. `prepare` sets up and passes
    /// one operation to [`Row::measure`].
    pub fn row(&self, name: &str, n: usize, prepare: impl FnOnce(&Row) -> Outcome<Figure>) {
        let budget = match &self.effort {
            Effort::Quick => 1_000_000,
            Effort::Full => 8_000_000,
            Effort::Endless { name: wanted, n: size } if (wanted.as_str(), *size) == (name, n) => {
                u64::MAX
            }
            Effort::Endless { .. } => return,
        };
        match prepare(&Row { budget }) {
            Ok(Figure { median, least, most }) => {
                println!("{name} {n} {median:.2} {least:.2} {most:.2}")
            }
            Err(Failure(reason)) => println!("{name} {n} failed {reason}"),
        }
    }
}

/// A row during its measurement.
#[derive(Debug)]
pub struct Row {
    /// The tick limit of a round; the largest number is no limit.
    budget: u64,
}

/// Ticks per operation.
#[derive(Debug)]
pub struct Figure {
    median: f64,
    least: f64,
    most: f64,
}

impl Row {
    /// Measures an operation.
    pub fn measure(&self, operation: impl FnMut(&mut Stopwatch) -> Outcome) -> Outcome<Figure> {
        self.measure_many(1, operation)
    }

    /// Measures an operation that counts as `units` of them.
    pub fn measure_many(
        &self,
        units: usize,
        mut operation: impl FnMut(&mut Stopwatch) -> Outcome,
    ) -> Outcome<Figure> {
        // The first operations fill caches, of the allocators and of the processor.
        let mut trial = Stopwatch::default();
        for _ in 0..3 {
            trial = Stopwatch::default();
            operation(&mut trial)?;
        }
        let count = match self.budget {
            u64::MAX => u64::MAX,
            budget => (budget / trial.ticks.max(1)).clamp(3, 2_000),
        };
        let mut rounds = [0.0; ROUNDS];
        for round in &mut rounds {
            let mut watch = Stopwatch::default();
            for _ in 0..count {
                operation(&mut watch)?;
            }
            *round = watch.ticks as f64 / count as f64 / units as f64;
        }
        rounds.sort_by(f64::total_cmp);
        Ok(Figure { median: rounds[ROUNDS / 2], least: rounds[0], most: rounds[ROUNDS - 1] })
    }
}

/// Prints the number of ticks per second, for the conversion to times.
pub fn frequency() {
    let (start, first) = (Instant::now(), ticks());
    while start.elapsed() < Duration::from_millis(100) {}
    let (elapsed, ticks) = (start.elapsed(), ticks() - first);
    println!("frequency 0 {0:.0} {0:.0} {0:.0}", ticks as f64 / elapsed.as_secs_f64());
}
