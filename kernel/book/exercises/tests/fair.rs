//! Grades the exercise `fair`.

use std::sync::Arc;

use exercises::fair::{Counter, Epoll, File};

fn files(count: usize, epoll: &mut Epoll) -> Vec<Arc<File>> {
    let files: Vec<Arc<File>> = (0..count).map(|_| Arc::new(File::from(Counter(1)))).collect();
    for file in &files {
        epoll.add(Arc::clone(file));
    }
    files
}

#[test]
fn each_ready_file_is_reported_before_one_is_reported_again() {
    let mut epoll = Epoll::default();
    let _files = files(5, &mut epoll);
    let mut seen: Vec<usize> = (0..5).flat_map(|_| epoll.scan(1)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4], "somebody starves");
}

#[test]
fn a_newcomer_is_reported_although_the_others_are_always_ready() {
    let mut epoll = Epoll::default();
    let files = files(4, &mut epoll);
    files[3].lock().0 = 0;
    assert!((0..8).all(|_| epoll.scan(1) != [3]), "not ready");
    files[3].lock().0 = 1;
    assert!((0..4).any(|_| epoll.scan(1) == [3]), "it waits behind files that were reported before");
}

#[test]
fn with_room_for_all_each_is_reported_once_in_a_scan() {
    let mut epoll = Epoll::default();
    let _files = files(40, &mut epoll);
    for _ in 0..2 {
        let mut seen = epoll.scan(100);
        seen.sort_unstable();
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_ready_no_more_is_not_reported() {
    let mut epoll = Epoll::default();
    let files = files(3, &mut epoll);
    files.iter().for_each(|file| file.lock().0 = 0);
    assert_eq!(epoll.scan(10), Vec::<usize>::new());
    files[1].lock().0 = 1;
    assert_eq!(epoll.scan(10), [1]);
}
