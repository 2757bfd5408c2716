//! What the kit on the host and the init program in the guest say to each other.
//!
//! Both sides use this crate, so neither can drift from the other. The guest has four serial ports:
//!
//! | port  | from guest to host                    | from host to guest           |
//! |-------|---------------------------------------|------------------------------|
//! | ttyS0 | the kernel's log                      |                              |
//! | ttyS1 | the programs' stdout, byte for byte   | stdin, in [`frame`]s         |
//! | ttyS2 | the programs' stderr, byte for byte   |                              |
//! | ttyS3 | [`message`]s of init, one a line      |                              |
//!
//! Output needs no frames: the message that ends a job says how many bytes of each stream belong to it,
//! so the host can wait for exactly those, and a byte that was lost is noticed.
//! What init has to run comes as a [`job`] list in the initramfs.
#![forbid(unsafe_code)]

pub mod frame;
pub mod job;
pub mod message;
