//! The protocol between the kit on the host and the init program in the guest.
//!
//! Both sides use this crate, so they cannot disagree. The guest has four serial ports:
//!
//! | port  | from guest to host                    | from host to guest           |
//! |-------|---------------------------------------|------------------------------|
//! | ttyS0 | the kernel's log                      |                              |
//! | ttyS1 | the programs' stdout, byte for byte   | stdin, in [`frame`]s         |
//! | ttyS2 | the programs' stderr, byte for byte   |                              |
//! | ttyS3 | [`message`]s of init, one a line      |                              |
//!
//! Output needs no frames: the message that ends a job says how many bytes of each stream belong to it.
//! The host waits for exactly those, and so notices a lost byte.
//! The programs to run come as a [`job`] list in the initramfs.
#![forbid(unsafe_code)]

pub mod frame;
pub mod job;
pub mod message;
