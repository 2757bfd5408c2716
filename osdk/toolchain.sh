# Sourced: puts the project's Rust toolchain in force, for the shell that sources it.
#
#     . osdk/toolchain.sh && cargo osdk run
#
# It is the nightly that rust-toolchain.toml names, if rustup has it; otherwise Debian's 1.96, the same
# series, with the nightly features that OSTD needs unlocked. POLLUX_TOOLCHAIN says which; it stays empty
# if neither is there.

pollux_channel=nightly-2026-04-03
pollux_rustup=${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$pollux_channel-x86_64-unknown-linux-gnu

if [ -d "$pollux_rustup/lib/rustlib/src/rust/library" ]; then
    POLLUX_TOOLCHAIN="rustup's $pollux_channel"
    RUSTUP_TOOLCHAIN=$pollux_channel
    export RUSTUP_TOOLCHAIN
    case :$PATH: in
    *:"${CARGO_HOME:-$HOME/.cargo}/bin":*) ;;
    *) PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH ;;
    esac
elif [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src/rust/library ] &&
    case $(/usr/bin/rustc --version 2>/dev/null) in "rustc 1.96."*) ;; *) false ;; esac; then
    POLLUX_TOOLCHAIN="Debian's 1.96"
    RUSTC_BOOTSTRAP=1
    # First in PATH: rustup's cargo would look for the toolchain that it does not have. Its directory
    # stays in PATH for what cargo itself installs.
    PATH=/usr/bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    export RUSTC_BOOTSTRAP
else
    POLLUX_TOOLCHAIN=
fi
export POLLUX_TOOLCHAIN PATH
unset pollux_channel pollux_rustup
