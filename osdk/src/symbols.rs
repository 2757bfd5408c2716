//! Finds names for addresses in the kernel, and makes backtraces readable.

use std::path::Path;

use addr2line::Loader;

use crate::project;

/// The debug information of a kernel; empty if it has none, like the twin.
pub(crate) struct Symbols(Option<Loader>);

impl Symbols {
    /// Reads the debug information of a kernel file.
    pub(crate) fn of(image: &Path) -> Self {
        Self(Loader::new(image).ok())
    }

    /// Returns the functions around an address, the innermost inlined one first, each with its line.
    pub(crate) fn functions(&self, address: u64) -> Vec<String> {
        let Some(loader) = &self.0 else { return Vec::new() };
        let mut functions: Vec<(Option<String>, Option<String>)> = Vec::new();
        if let Ok(mut frames) = loader.find_frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                let name = frame.function.as_ref().and_then(|name| name.demangle().ok().map(String::from));
                let place =
                    frame.location.and_then(|place| Some(format!("{}:{}", short(place.file?), place.line?)));
                functions.push((name, place));
            }
        }
        // The last one is the function that was called; the symbol table has its full name.
        if let Some(symbol) = loader.find_symbol(address) {
            let name = Some(addr2line::demangle_auto(symbol.into(), None).into_owned());
            match functions.last_mut() {
                Some(last) => last.0 = name,
                None => functions.push((name, None)),
            }
        }
        let text = |(name, place)| match (name, place) {
            (Some(name), Some(place)) => Some(format!("{name} at {place}")),
            (name, _) => name,
        };
        functions.into_iter().filter_map(text).collect()
    }

    /// Returns the kernel's log with names instead of addresses.
    pub(crate) fn readable(&self, log: &str) -> String {
        readable(log, |address| self.functions(address))
    }
}

/// Shortens a source file's name by the prefix of the project, or of the registry.
fn short(file: &str) -> &str {
    let root = project::root();
    let local = root.to_str().and_then(|root| file.strip_prefix(root)?.strip_prefix('/'));
    let foreign = || file.split_once("/registry/src/")?.1.split_once('/').map(|(_, rest)| rest);
    local.or_else(foreign).unwrap_or(file)
}

/// Replaces OSTD's frames by names. A frame is a line like
/// `   3: fn 0xffffffff88001000 - pc 0xffffffff88001234 / registers:` and two more lines of registers.
fn readable(log: &str, functions: impl Fn(u64) -> Vec<String>) -> String {
    let mut text = String::new();
    let mut in_frame = false;
    for line in log.lines().map(str::trim_end) {
        let names = program_counter(line).map(|pc| functions(pc.saturating_sub(1))).unwrap_or_default();
        if names.is_empty() {
            let is_registers = ["rax ", "rsi "].iter().any(|name| line.trim_start().starts_with(name));
            in_frame &= is_registers || line.is_empty();
            if !in_frame {
                text.push_str(line);
                text.push('\n');
            }
            continue;
        }
        in_frame = true;
        let number = line.split(':').next().unwrap_or_default();
        for (at, name) in names.iter().enumerate() {
            let number = if at == 0 { number } else { "" };
            text.push_str(&format!("{number:>4}  {name}\n"));
        }
    }
    text
}

/// Parses the return address in a frame's line. It lies behind the call, so the caller looks up one byte less.
fn program_counter(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(" pc ")?;
    u64::from_str_radix(rest.trim_start().split(' ').next()?.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "booting\nPrinting stack trace:
   1: fn 0xffffffff88001000 - pc 0xffffffff88001235 / registers:

     rax                0x0; rdx                0x1; rcx 0x2; rbx 0x3;
     rsi                0x0; rdi                0x1; rbp 0x2; rsp 0x3;

   2: fn 0x0000000000001000 - pc 0x0000000000000005 / registers:

     rax                0x0; rdx                0x1; rcx 0x2; rbx 0x3;

done\n";

    #[test]
    fn frames_get_names_and_lose_registers() {
        let names = |address| match address {
            0xffff_ffff_8800_1234 => vec!["inlined at a.rs:1".to_owned(), "caller at a.rs:9".to_owned()],
            _ => Vec::new(),
        };
        let text = readable(LOG, names);
        let expected = "booting\nPrinting stack trace:\n   1  inlined at a.rs:1\n      caller at a.rs:9\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("pc 0x0000000000000005") && text.ends_with("done\n"), "{text}");
    }

    #[test]
    fn files_are_named_from_the_project_or_their_crate() {
        let own = project::root().join("kernel/lib.rs");
        assert_eq!(short(&own.to_string_lossy()), "kernel/lib.rs");
        assert_eq!(short("/home/x/.cargo/registry/src/index-0/ostd-0.18.0/src/a.rs"), "ostd-0.18.0/src/a.rs");
        assert_eq!(short("/elsewhere/b.rs"), "/elsewhere/b.rs");
    }

    #[test]
    fn names_come_from_the_debug_information() {
        let own = std::env::current_exe().unwrap_or_default();
        // In a position-independent program the address in the file is relative to the load address.
        let symbols = Symbols::of(&own);
        let loaded = names_come_from_the_debug_information as *const () as u64;
        let base = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let base = base.lines().find(|line| line.ends_with(&*own.to_string_lossy()));
        let base =
            base.and_then(|line| u64::from_str_radix(line.split('-').next()?, 16).ok()).unwrap_or_default();
        let names = symbols.functions(loaded - base);
        assert!(names.iter().any(|name| name.contains("names_come_from_the_debug_information")), "{names:?}");
    }
}
