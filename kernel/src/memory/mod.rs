//! User memory: address spaces, faults, and the copies across the border.

pub mod transfer;
