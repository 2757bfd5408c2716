# Selects the project's Rust toolchain for the shell that sources this file.
#
#     . osdk/toolchain.sh && cargo osdk run
#
# That is the nightly that rust-toolchain.toml names, if rustup has it; otherwise Debian's 1.96, of the same
# series, with the nightly features that OSTD needs unlocked. Sets POLLUX_TOOLCHAIN to the choice, or leaves
# it empty if neither is installed.

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
    # First in PATH, because rustup's cargo would look for the toolchain that it lacks. Its directory stays
    # in PATH for programs that cargo installs.
    PATH=/usr/bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    export RUSTC_BOOTSTRAP
else
    POLLUX_TOOLCHAIN=
fi
export POLLUX_TOOLCHAIN PATH
unset pollux_channel pollux_rustup
