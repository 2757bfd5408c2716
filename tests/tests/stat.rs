//! stat(2): the times of a file.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The lag of a clock that advances at ticks only.
const TICK: Duration = Duration::from_millis(20);

fn assert_recent(time: SystemTime, since: SystemTime) {
    assert!(time + TICK >= since, "{time:?} is long before {since:?}");
    assert!(time <= SystemTime::now(), "{time:?} is to come");
}

#[test]
fn the_times_of_a_new_file_are_the_wall_clocks() {
    let path = Path::new("/tmp/stat-new");
    let _ = fs::remove_file(path);
    let since = SystemTime::now();
    fs::write(path, b"x").unwrap();
    let metadata = fs::metadata(path).unwrap();
    assert_recent(metadata.modified().unwrap(), since);
    assert_recent(metadata.accessed().unwrap(), since);
    let changed = Duration::new(metadata.ctime() as u64, metadata.ctime_nsec() as u32);
    assert_recent(SystemTime::UNIX_EPOCH + changed, since);
}

#[test]
fn the_times_of_a_new_directory_and_link_are_the_wall_clocks() {
    let (directory, link) = (Path::new("/tmp/stat-directory"), Path::new("/tmp/stat-link"));
    let _ = fs::remove_dir(directory);
    let _ = fs::remove_file(link);
    let since = SystemTime::now();
    fs::create_dir(directory).unwrap();
    symlink("nowhere", link).unwrap();
    assert_recent(fs::metadata(directory).unwrap().modified().unwrap(), since);
    assert_recent(fs::symlink_metadata(link).unwrap().modified().unwrap(), since);
}
