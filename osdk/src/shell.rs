//! `pollux run` on a terminal: plays the tour, then starts a shell in the guest that owns the terminal.
//!
//! Owns: the guest's programs, and the terminal's settings, which this module restores in every case.
//! Not here: the guest's terminal (the kernel's), QEMU (`session`). Ctrl-A x ends QEMU.

use std::{ffi::CString, io, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use pollux_protocol::job::{Job, JobList, Stdio};
use rustix::termios::{self, OptionalActions, Termios};

use crate::{
    build,
    cli::GuestOptions,
    exec,
    initramfs::Initramfs,
    machine::Machine,
    network::{self, PORT, SERVER},
    program,
    script::BUSYBOX,
    session,
};

/// QEMU's exit statuses after the guest powers off: by ACPI, or through OSTD's debug device.
const POWERED_OFF: [i32; 2] = [0, 33];

/// Whether stdin and stdout are a terminal.
pub(crate) fn has_terminal() -> bool {
    termios::isatty(io::stdin()) && termios::isatty(io::stdout())
}

/// Plays the tour, then gives the terminal to a shell.
///
/// An HTTP server runs in the background, to which `port` of the host is forwarded.
pub(crate) fn run(options: &GuestOptions, port: u16) -> Result<ExitCode> {
    let busybox = Path::new(BUSYBOX);
    program::check(busybox)?;
    let mut files = Initramfs::new()?;
    files.copy(&build::program("tour")?, Path::new("/bin/tour"))?;
    files.copy(&build::program("httpd")?, Path::new(network::SERVER))?;
    files.copy(busybox, busybox)?;
    for (host, guest) in &options.files.files {
        files.copy(host, guest)?;
    }
    let tour = Job { argv: vec![CString::from(c"/bin/tour")], env: exec::environment(&[])?, timeout: None };
    files.init(&JobList { stdio: Stdio::Console, jobs: vec![tour, shell(port)?] })?;
    let machine = Machine::prepare(options.kernel, &options.hardware)?;
    let settings = Settings::save()?;
    let ended = session::on_terminal(&machine, &files.finish()?);
    drop(settings);
    match ended?.code() {
        Some(code) if POWERED_OFF.contains(&code) => Ok(ExitCode::SUCCESS),
        code => bail!("the kernel went down (QEMU: {code:?})"),
    }
}

/// Returns the script that starts the shell, with every applet under its own name and the terminal's size.
fn shell(port: u16) -> Result<Job> {
    let told = termios::tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
    let size = told.unwrap_or(termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 });
    let prepare = format!(
        "{BUSYBOX} --install -s /bin; mkdir -p /root /tmp; stty rows {} cols {}; cd; \
         {SERVER} {PORT} & \
         echo; echo 'http://127.0.0.1:{port}/ on the host shows what the kernel counts.'; \
         echo 'A shell. To end it, and QEMU: exit, or Ctrl-D.'; exec sh",
        size.ws_row, size.ws_col
    );
    let argv = [BUSYBOX, "sh", "-c", &prepare].map(CString::new);
    let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".to_owned());
    let env = exec::environment(&[format!("TERM={term}"), "PS1=pollux:\\w# ".to_owned()])?;
    Ok(Job { argv: argv.into_iter().collect::<Result<_, _>>()?, env, timeout: None })
}

/// The terminal's settings before the run: QEMU makes it raw, and may end before it can restore them.
struct Settings(Termios);

impl Settings {
    fn save() -> Result<Self> {
        termios::tcgetattr(io::stdin()).map(Self).context("the terminal says nothing of itself")
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // QEMU makes its standard streams non-blocking, which affects all processes that share them.
        if let Ok(flags) = rustix::fs::fcntl_getfl(io::stdin()) {
            let _ = rustix::fs::fcntl_setfl(io::stdin(), flags - rustix::fs::OFlags::NONBLOCK);
        }
        // Ignore an error: the terminal is gone then.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
