//! What watchers of files are told: inotify(7).
//!
//! Not here: which file an event happened to, and who watches it (`linux/fs/notify`).
//! Source: inotify(7); Linux 6.1 fs/notify/inotify/inotify_fsnotify.c.

pub mod mask;
pub mod queue;
pub mod record;
