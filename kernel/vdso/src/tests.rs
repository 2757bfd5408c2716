//! Tests of the arithmetic and of the linked image.

use core::sync::atomic::Ordering;

use super::{Data, Figures, IMAGE};

fn trusted(start: u64, scale: u64, realtime: u64) -> Data {
    let data = Data::default();
    data.is_trusted.store(1, Ordering::Relaxed);
    data.start.store(start, Ordering::Relaxed);
    data.scale.store(scale, Ordering::Relaxed);
    data.realtime.store(realtime, Ordering::Relaxed);
    data
}

#[test]
fn a_count_becomes_nanoseconds() {
    // 2 GHz: half a nanosecond a count.
    let figures = Figures { start: 1000, scale: 1 << 31, realtime: 0 };
    assert_eq!(figures.nanoseconds(1000), 0);
    assert_eq!(figures.nanoseconds(1000 + 4_000_000_000), 2_000_000_000);
    // After a century the product needs more than 64 bits.
    assert_eq!(figures.nanoseconds(1000 + (1 << 62)), 1 << 61);
    assert_eq!(
        figures.nanoseconds(999),
        0,
        "a CPU whose counter is behind does not go back before the start"
    );
}

#[test]
fn an_untrusted_counter_is_not_read() {
    assert_eq!(Data::default().read(|| panic!("read")), None);
}

#[test]
fn a_reader_that_a_write_meets_reads_again() {
    let data = trusted(5, 7, 9);
    let reads = core::cell::Cell::new(0);
    let (figures, count) = data
        .read(|| {
            if reads.replace(reads.get() + 1) == 0 {
                data.sequence.store(2, Ordering::Relaxed);
                data.start.store(6, Ordering::Relaxed);
            }
            reads.get()
        })
        .expect("the counter is trusted");
    assert_eq!((figures, count), (Figures { start: 6, scale: 7, realtime: 9 }, 2));
}

#[test]
fn the_image_is_one_segment_with_linux_names() {
    let word = |at: usize| u64::from_le_bytes(IMAGE[at..at + 8].try_into().expect("eight bytes"));
    let half = |at: usize| u16::from_le_bytes(IMAGE[at..at + 2].try_into().expect("two bytes"));
    assert_eq!(&IMAGE[..5], b"\x7fELF\x02");
    assert_eq!(half(16), 3, "ET_DYN");
    let (table, size, count) = (word(32) as usize, usize::from(half(54)), usize::from(half(56)));
    let segments: std::vec::Vec<_> = (0..count).map(|n| table + n * size).collect();
    let loaded: std::vec::Vec<_> = segments.iter().filter(|&&at| IMAGE[at] == 1).collect();
    assert_eq!(loaded.len(), 1, "PT_LOAD");
    // Offset, address, and the sizes in the file and in memory.
    let at = *loaded[0];
    assert_eq!((word(at + 8), word(at + 16)), (0, 0));
    assert_eq!(word(at + 32), word(at + 40), "nothing that is not in the file");
    assert!(word(at + 32) as usize <= IMAGE.len());
    for name in ["__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu", "LINUX_2.6"] {
        assert!(IMAGE.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
    }
}
