//! The rules of processes, files, terminals and local sockets, as Linux has them.

pub mod abi;
pub mod access;
pub mod capability;
pub mod command_line;
pub mod cpio;
pub mod credentials;
pub mod groups;
pub mod inotify;
pub mod lock;
pub mod netlink;
pub mod oom;
pub mod path;
pub mod proc_net;
pub mod ptrace;
pub mod pty;
pub mod record_lock;
pub mod sched;
pub mod seals;
pub mod sigio;
pub mod signal;
pub mod splice;
pub mod timer;
pub mod tty;
pub mod unix;
