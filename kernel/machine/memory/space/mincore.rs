//! Reports which pages are in memory.
//!
//! Source: mincore(2); Linux 6.1 mm/mincore.c.

use ostd::mm::vm_space::VmQueriedItem;
use ostd::task::disable_preempt;
use rules::abi::errno::Errno;

use super::super::layout::PAGE_SIZE;
use super::AddressSpace;
use super::residency::{LEAF_SIZE, leaf_of};

impl AddressSpace {
    /// Writes for each page from `start` on whether it is in memory (1) or not (0), and returns the number of answers:
    /// as many as fit into `answers`, or fewer where an area or a leaf table ends.
    ///
    /// A page of a file counts as in memory even if it is not mapped here.
    ///
    /// # Errors
    /// `ENOMEM`: `start` is not mapped.
    pub(crate) fn mincore(&self, start: usize, answers: &mut [u8]) -> Result<usize, Errno> {
        let state = self.state.lock();
        let area = state.areas.at(start).ok_or(Errno::ENOMEM)?;
        let end = area.end.min(leaf_of(start) + LEAF_SIZE).min(start + answers.len() * PAGE_SIZE);
        let guard = disable_preempt();
        let populated = state.residency.populated(start..end).next().is_some();
        let mut cursor = populated.then(|| self.table.cursor(&guard, start..end));
        let mut answered = 0;
        for (page, answer) in (start..end).step_by(PAGE_SIZE).zip(answers) {
            let mapped = cursor.as_mut().is_some_and(|cursor| {
                let jumped = cursor.jump(page).is_ok();
                jumped && matches!(cursor.query(), Ok((_, Some(VmQueriedItem::MappedRam { .. }))))
            });
            let cached = || {
                let page = area.backing.page_at(page - area.start);
                page.is_some_and(|(pages, index)| pages.present_page(index).is_some())
            };
            *answer = u8::from(mapped || cached());
            answered += 1;
        }
        Ok(answered)
    }
}
