//! A program that reports what `execve` gave it: the test program itself, run once more.
//!
//! A test program registers [`answer`] as a constructor. When it is executed with [`QUESTION`] in its
//! environment, it answers on its standard output instead of running tests.

use core::hint::black_box;
use std::{env, process};

use crate::{capability, fd, signal};

/// The environment variable that holds the question.
pub const QUESTION: &str = "POLLUX_WITNESS";

/// The type of a function that runs before `main`; put it into a static in the section `.init_array`.
pub type Constructor = extern "C" fn();

/// Answers the question in the environment and exits; returns if there is none.
pub extern "C" fn answer() {
    let Ok(question) = env::var(QUESTION) else { return };
    match question.as_str() {
        "arguments" => print!("{}", env::args().collect::<Vec<_>>().join("|")),
        "count" => print!("{}", env::args().count()),
        "environment" => {
            let all = env::vars().filter(|(name, _)| name != QUESTION);
            print!("{}", join(all.map(|(name, value)| format!("{name}={value}"))));
        }
        "descriptors" => {
            let is_open = |number: &i32| fd::fcntl(*number, libc::F_GETFD, 0).is_ok();
            print!("{}", join((3..256).filter(is_open).map(|number| number.to_string())));
        }
        "signals" => print!("{}", join(signals())),
        "capabilities" => print!("{}", join(capability::get().iter().map(u64::to_string))),
        "users" => {
            let mut ids = [0_u32; 3];
            let [real, effective, saved] = &mut ids;
            // SAFETY: the three are ours; an entry of the auxiliary vector is a number.
            let is_secure = unsafe {
                libc::getresuid(real, effective, saved);
                libc::getauxval(libc::AT_SECURE)
            };
            print!("{}|{is_secure}", join(ids.iter().map(u32::to_string)));
        }
        "nap" => std::thread::sleep(std::time::Duration::from_millis(300)),
        "process" => print!("{}", process::id()),
        "stack" => print!("{}", use_stack(6 << 20)),
        "deeper stack" => print!("{}", use_stack(100 << 20)),
        "page size" => {
            // SAFETY: an entry of the auxiliary vector is a number.
            print!("{}", unsafe { libc::getauxval(libc::AT_PAGESZ) });
        }
        "random" => {
            // SAFETY: the kernel wrote sixteen bytes there.
            let bytes = unsafe { *(libc::getauxval(libc::AT_RANDOM) as *const [u8; 16]) };
            print!("{}", bytes.map(|byte| format!("{byte:02x}")).concat());
        }
        code => process::exit(code.parse().unwrap_or(254)),
    }
    process::exit(0);
}

/// Uses `size` bytes of stack, a page or a few at a time.
fn use_stack(size: usize) -> &'static str {
    fn descend(to: usize) {
        let frame = black_box([0_u8; 4096]);
        if &raw const frame as usize > to {
            descend(to);
        }
        black_box(frame);
    }
    let top = 0_u8;
    descend(&raw const top as usize - size);
    "used"
}

/// Reports for each signal of interest whether it is blocked, pending, ignored or handled.
fn signals() -> impl Iterator<Item = String> {
    let all = [("USR1", libc::SIGUSR1), ("USR2", libc::SIGUSR2), ("HUP", libc::SIGHUP)];
    all.into_iter().map(|(name, number)| {
        let action = signal::action(number);
        let states = [
            (signal::is_blocked(number), "blocked"),
            (signal::is_pending(number), "pending"),
            (action == libc::SIG_IGN, "ignored"),
            (action != libc::SIG_IGN && action != libc::SIG_DFL, "handled"),
        ];
        let holds = states.iter().filter(|(holds, _)| *holds).map(|(_, word)| (*word).to_owned());
        [name.to_owned()].into_iter().chain(holds).collect::<Vec<_>>().join(" ")
    })
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join("|")
}
