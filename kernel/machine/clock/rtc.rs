//! The battery-backed real-time clock, read once at boot.

use ostd::arch::device::io_port::ReadWriteAccess;
use ostd::io::IoPort;

/// Returns the seconds since 1970 (UTC); 0 if there is no such clock.
pub(super) fn seconds_since_epoch() -> u64 {
    let (Ok(index), Ok(data)) =
        (IoPort::<u8, ReadWriteAccess>::acquire(0x70), IoPort::<u8, ReadWriteAccess>::acquire(0x71))
    else {
        return 0;
    };
    let read = |register: u8| {
        index.write(register);
        data.read()
    };
    let snapshot = || [0u8, 2, 4, 7, 8, 9].map(read);
    // Two equal readings mean that no update came between.
    let mut fields = snapshot();
    for _ in 0..1000 {
        let again = snapshot();
        if again == fields && read(0x0a) & 0x80 == 0 {
            break;
        }
        fields = again;
    }
    if read(0x0b) & 4 == 0 {
        fields = fields.map(|bcd| (bcd >> 4) * 10 + (bcd & 15));
    }
    let [second, minute, hour, day, month, year] = fields.map(u64::from);
    (days(2000 + year, month, day) * 24 + hour) * 3600 + minute * 60 + second
}

/// Returns the days from 1970-01-01 to a Gregorian date.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // With years that start in March, the leap day is the last of the year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    (year * 365 + leaps + (month * 153 + 2) / 5 + day).saturating_sub(719_469)
}
