//! renameat2(2): `RENAME_NOREPLACE` and `RENAME_EXCHANGE`.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use libc::{RENAME_EXCHANGE, RENAME_NOREPLACE};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, sys};

fn rename(old: &str, new: &str, flags: u32) -> Result<usize> {
    let (old, new) = (CString::new(old).unwrap(), CString::new(new).unwrap());
    let at = libc::AT_FDCWD as usize;
    let arguments = [at, old.as_ptr().addr(), at, new.as_ptr().addr(), flags as usize];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_renameat2, arguments) }
}

/// Makes an empty directory, and two names in it.
fn names(directory: &str) -> [String; 2] {
    let directory = format!("/tmp/renameat2-{directory}");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    ["one", "two"].map(|name| format!("{directory}/{name}"))
}

#[test]
fn what_is_there_stays_if_that_is_asked_for() {
    let [one, two] = names("noreplace");
    fs::write(&one, "1").unwrap();
    assert_eq!(rename(&one, &two, RENAME_NOREPLACE), Ok(0));
    fs::write(&one, "2").unwrap();
    assert_eq!(rename(&one, &two, RENAME_NOREPLACE), Err(Errno::EEXIST));
    assert_eq!(rename(&one, &one, RENAME_NOREPLACE), Err(Errno::EEXIST));
    assert_eq!(fs::read_to_string(&two).unwrap(), "1");
}

#[test]
fn two_names_change_places_whatever_they_are() {
    let [one, two] = names("exchange");
    fs::write(&one, "1").unwrap();
    fs::create_dir(&two).unwrap();
    fs::write(format!("{two}/inside"), "").unwrap();
    assert_eq!(rename(&one, &two, RENAME_EXCHANGE), Ok(0));
    assert!(Path::new(&one).is_dir() && Path::new(&format!("{one}/inside")).exists());
    assert_eq!(fs::read_to_string(&two).unwrap(), "1");
    fs::remove_file(&two).unwrap();
    assert_eq!(rename(&one, &two, RENAME_EXCHANGE), Err(Errno::ENOENT));
    assert_eq!(rename(&one, &format!("{one}/deeper"), RENAME_EXCHANGE), Err(Errno::ENOENT));
    assert_eq!(rename(&one, &format!("{one}/inside"), RENAME_EXCHANGE), Err(Errno::EINVAL));
}

#[test]
fn wrong_flags_are_refused() {
    let [one, two] = names("flags");
    fs::write(&one, "1").unwrap();
    for flags in [8, 1 << 31, RENAME_EXCHANGE | RENAME_NOREPLACE] {
        assert_eq!(rename(&one, &two, flags), Err(Errno::EINVAL), "{flags}");
    }
}
