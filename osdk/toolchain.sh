# Sourced: puts the project's Rust toolchain in force. Sets PATH, and RUSTC_BOOTSTRAP or RUSTUP_TOOLCHAIN.
PATH=/usr/bin:$PATH
RUSTC_BOOTSTRAP=1
export PATH RUSTC_BOOTSTRAP
