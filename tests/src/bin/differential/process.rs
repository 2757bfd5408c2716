//! Processes that hold the last descriptors of files, and end, close them together, or pass them on.

use pollux_tests::{child, fd, signal, sys, unix};

use crate::world::World;

/// How a process loses all its descriptors.
#[derive(Clone, Copy, Debug)]
enum End {
    Exit,
    Kill,
    CloseRange,
    /// Another process gets them in a message, and then ends.
    Pass,
}

impl World<'_> {
    /// Leaves some descriptors to a child alone, which then loses them: epolls see in which order.
    pub(crate) fn bequeath(&mut self) {
        let how = self.random.pick(&[End::Exit, End::Kill, End::CloseRange, End::Pass]);
        let count = 1 + self.random.below(3.min(self.slots.len()));
        let (ready, go) = fd::pipe();
        let child = {
            let go = go.number();
            child::spawn(|| {
                fd::close(go).expect("it is open");
                let _ = ready.read(1);
                self.lose_all(how);
            })
        };
        let mut numbers = Vec::new();
        for _ in 0..count {
            let index = self.any();
            let slot = self.slots.swap_remove(index);
            numbers.push(slot.fd.number());
        }
        drop(go);
        let ended = child.wait();
        self.log.note(format_args!("bequeath {numbers:?} {how:?} = {ended:?}"));
    }

    /// In the child.
    fn lose_all(&self, how: End) {
        match how {
            End::Exit => child::exit(3),
            End::Kill => {
                signal::send(sys::getpid(), libc::SIGKILL).expect("this process");
            }
            End::CloseRange => {
                // SAFETY: the child uses no descriptor after this.
                unsafe { sys::call(libc::SYS_close_range, [3, u32::MAX as usize, 0]) }
                    .expect("a range");
                child::exit(4);
            }
            End::Pass => {
                let (one, other) = unix::pair(libc::SOCK_STREAM);
                let fds: Vec<i32> = self.slots.iter().map(|slot| slot.fd.number()).collect();
                unix::send_fds(&one, b"x", &fds, 0).expect("room for a message");
                for number in fds {
                    let _ = fd::close(number);
                }
                let message = unix::receive(&other, 1, 256, 0).expect("a message");
                drop(message);
                child::exit(5);
            }
        }
    }
}
