//! The strings of uname(2) and `/proc/sys/kernel`.

/// `sysname`: programs that look expect it of a kernel with this ABI.
pub const SYSTEM: &str = "Linux";
/// `nodename`.
pub const HOST: &str = "pollux";
/// `release`: the version whose behaviour is followed.
pub const RELEASE: &str = "6.1.0-pollux";
/// `version`.
pub const VERSION: &str = "#1 Pollux on OSTD";
/// `machine`.
pub const MACHINE: &str = "x86_64";
/// `domainname`.
pub const DOMAIN: &str = "(none)";
