//! Random runs of the source for the proof, which repeats them as runs of its model (kernel/pollee/proof).
//!
//! Two threads take turns, an operation at a time; after each the word is noted, who was woken, and who would sleep. Written where
//! `POLLUX_TRACE` says, a line of JSON for each operation; nothing is done without it.

use std::env;
use std::fmt::Write;
use std::fs;
use std::sync::Arc;

use pollee::{
    Events, Hybrid, Locked, Policy, Readiness, ReadinessSource, Stateful, Stateless, Token, WakeMode, Watcher,
};

use crate::threads::{Sleeper, Threads};

const RUNS: u64 = 8;
const OPERATIONS: usize = 25;

struct State(Events);

impl Readiness for State {
    fn readiness(&self) -> Events {
        self.0
    }
}

/// A thread with one registration at most.
struct Waiter {
    sleeper: Arc<Sleeper>,
    token: Option<Token>,
    interest: Events,
    is_asleep: bool,
    is_woken: bool,
}

/// A generator of numbers that are random enough (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn event(&mut self) -> Events {
        if self.below(2) == 0 { Events::empty() } else { Events::IN }
    }
}

struct Run<P: Policy> {
    file: Locked<State, Threads<P>>,
    waiters: [Waiter; 2],
    text: String,
}

impl<P: Policy> Run<P> {
    fn new(ready: Events) -> Self {
        let waiter = || Waiter {
            sleeper: Sleeper::new(),
            token: None,
            interest: Events::empty(),
            is_asleep: false,
            is_woken: false,
        };
        let file = Locked::new((), State(ready));
        let mut run = Self { file, waiters: [waiter(), waiter()], text: String::new() };
        run.note("start", 0, ready, Events::empty());
        run
    }

    /// Writes what an operation left behind.
    fn note(&mut self, operation: &str, thread: usize, first: Events, second: Events) {
        for waiter in &mut self.waiters {
            waiter.is_woken |= waiter.sleeper.take_wake();
        }
        let word: String = format!("{:?}", self.file).chars().filter(char::is_ascii_digit).collect();
        let asleep = self.waiters.each_ref().map(|waiter| waiter.is_asleep);
        let woken = self.waiters.each_ref().map(|waiter| waiter.is_woken);
        writeln!(
            self.text,
            "{{\"policy\":\"{}\",\"operation\":\"{operation}\",\"thread\":{thread},\"first\":{},\"second\":{},\
             \"word\":{word},\"asleep\":{asleep:?},\"woken\":{woken:?}}}",
            P::NAME,
            !first.is_empty(),
            !second.is_empty(),
        )
        .unwrap();
    }

    /// What a thread may do: whoever sleeps may wake up, if it was woken, or leave.
    fn turn(&mut self, chance: &mut Chance) {
        let thread = chance.below(2) as usize;
        let (first, second) = (chance.event(), chance.event());
        let waiter = &mut self.waiters[thread];
        let operation = match (waiter.is_asleep, waiter.token.is_some(), chance.below(6)) {
            (true, _, 0) | (false, true, 0) => "unregister",
            (true, _, _) if waiter.is_woken => "sleep ends",
            (true, ..) => return,
            (false, true, 1) => "set_interest",
            (false, false, 0..3) => "register",
            (_, _, 2 | 3) => "poll",
            _ => "change",
        };
        match operation {
            "unregister" => {
                drop(self.file.unregister(waiter.token.take().unwrap()));
                waiter.is_asleep = false;
            }
            "sleep ends" => {
                waiter.is_woken = false;
                waiter.is_asleep = false;
            }
            "set_interest" => {
                waiter.interest = first;
                let ready = self.file.set_interest(waiter.token.as_ref().unwrap(), first);
                waiter.is_asleep = ready.is_empty();
            }
            "register" => {
                waiter.interest = first;
                let watcher = Watcher::Task(Arc::clone(&waiter.sleeper));
                let (token, ready) = self.file.register(watcher, first, WakeMode::All).unwrap();
                waiter.token = Some(token);
                waiter.is_asleep = ready.is_empty();
            }
            "poll" => {
                let ready = self.file.poll(waiter.interest);
                waiter.is_asleep = waiter.token.is_some() && ready.is_empty();
            }
            _ => {
                let mut guard = self.file.lock();
                guard.0 = first;
                guard.raise(second);
            }
        }
        self.note(operation, thread, first, second);
    }
}

fn runs<P: Policy>() -> String {
    let mut text = String::new();
    for seed in 1..=RUNS {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut run = Run::<P>::new(chance.event());
        for _ in 0..OPERATIONS {
            run.turn(&mut chance);
        }
        text += &run.text;
    }
    text
}

#[test]
fn a_trace_for_the_proof() {
    let Some(path) = env::var_os("POLLUX_TRACE") else { return };
    fs::write(path, [runs::<Hybrid>(), runs::<Stateful>(), runs::<Stateless>()].concat()).unwrap();
}
