//! proc(5): `/proc/PID/oom_score_adj`, `oom_adj` and `oom_score`.

use std::fs;

use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, capability, child, fd};

const SYS_RESOURCE: u32 = 24;

fn write(name: &str, text: &str) -> Result<usize> {
    fd::open(&format!("/proc/self/{name}"), libc::O_WRONLY, 0)?.write(text.as_bytes())
}

fn read(name: &str) -> String {
    fs::read_to_string(format!("/proc/self/{name}")).unwrap()
}

fn drop_right() {
    let [effective, permitted, inheritable] = capability::get();
    let without = |set: u64| set & !(1 << SYS_RESOURCE);
    capability::set([without(effective), without(permitted), without(inheritable)]).unwrap();
}

#[test]
fn it_is_a_number_in_thousandths() {
    child::run(|| {
        assert_eq!(read("oom_score_adj"), "0\n");
        for (text, shown) in [
            ("500", "500\n"),
            ("-1000\n", "-1000\n"),
            ("0x10", "16\n"),
            (" 7 ", "7\n"),
            ("010", "8\n"),
        ] {
            assert_eq!(write("oom_score_adj", text), Ok(text.len()), "{text:?}");
            assert_eq!(read("oom_score_adj"), shown);
        }
        for text in ["1001", "-1001", "x", "5x", "", " "] {
            let expected = if text.is_empty() { Ok(0) } else { Err(Errno::EINVAL) };
            let found = write("oom_score_adj", text);
            assert!(found == expected || text.is_empty(), "{text:?}: {found:?}");
        }
        assert_eq!(write("oom_score_adj", "99999999999"), Err(Errno::ERANGE));
        assert_eq!(read("oom_score_adj"), "8\n");
        // Only the first bytes count.
        assert_eq!(write("oom_score_adj", "5            x"), Ok(12));
        assert_eq!(read("oom_score_adj"), "5\n");
    });
}

#[test]
fn children_and_programs_inherit_it() {
    child::run(|| {
        assert_eq!(write("oom_score_adj", "300"), Ok(3));
        child::run(|| assert_eq!(read("oom_score_adj"), "300\n"));
        let output = std::process::Command::new("/bin/busybox")
            .args(["cat", "/proc/self/oom_score_adj"])
            .output();
        if let Ok(output) = output {
            assert_eq!(output.stdout, b"300\n");
        }
    });
}

#[test]
fn lowering_it_needs_a_right() {
    child::run(|| {
        assert_eq!(write("oom_score_adj", "-200"), Ok(4));
        assert_eq!(write("oom_score_adj", "100"), Ok(3));
        drop_right();
        assert_eq!(write("oom_score_adj", "99"), Err(Errno::EACCES));
        assert_eq!(write("oom_score_adj", "300"), Ok(3));
        // Down to what a privileged process set last.
        assert_eq!(write("oom_score_adj", "100"), Ok(3));
        child::run(|| assert_eq!(write("oom_score_adj", "99"), Err(Errno::EACCES)));
        assert_eq!(write("oom_adj", "0"), Err(Errno::EACCES));
        assert_eq!(read("oom_score_adj"), "100\n");
    });
}

#[test]
fn only_its_owner_writes_it() {
    let pid = sys::getpid();
    child::run(|| {
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_setresuid, [1000; 3]) }.unwrap();
        let path = format!("/proc/{pid}/oom_score_adj");
        assert_eq!(fd::open(&path, libc::O_WRONLY, 0).err(), Some(Errno::EACCES));
        assert_eq!(fs::read_to_string(path).unwrap(), "0\n");
    });
}

#[test]
fn the_old_file_has_its_own_scale() {
    child::run(|| {
        assert_eq!(read("oom_adj"), "0\n");
        for (old, new) in [("15", "1000\n"), ("-17", "-1000\n"), ("8", "470\n"), ("-1", "-58\n")] {
            assert_eq!(write("oom_adj", old), Ok(old.len()));
            assert_eq!(read("oom_score_adj"), new);
        }
        assert_eq!(write("oom_adj", "16"), Err(Errno::EINVAL));
        assert_eq!(write("oom_adj", "-18"), Err(Errno::EINVAL));
        assert_eq!(write("oom_score_adj", "1000"), Ok(4));
        assert_eq!(read("oom_adj"), "15\n");
    });
}

#[test]
fn the_score_follows() {
    child::run(|| {
        let score = || read("oom_score").trim_end().parse::<i32>().unwrap();
        let before = score();
        assert!((666..700).contains(&before), "{before}");
        assert_eq!(write("oom_score_adj", "1000"), Ok(4));
        assert!((1332..1370).contains(&score()), "{}", score());
        assert_eq!(write("oom_score_adj", "-1000"), Ok(5));
        assert_eq!(score(), 0);
        assert_eq!(fs::read_to_string("/proc/1/oom_score").unwrap(), "0\n");
    });
}
