//! Kernel messages, and the screen, which shows them and the output to the first serial port.
//!
//! Owns: the text on the screen and its picture.   Not here: the serial port, which OSTD drives for kernel messages
//! and `linux/serial` for programs; what bytes mean (`rules::machine::screen`).
//! Locks: the picture, with preemption off, for one row at a time; under it or alone the text, with interrupts off,
//! while some cells change. A writer never waits for drawing: a task draws the changes, at most about 30 times a
//! second.
//! Why: decision 0061.

mod canvas;
mod framebuffer;

use core::fmt::{self, Write};
use core::time::Duration;

use ostd::console::early_print;
use ostd::sync::{LocalIrqDisabled, SpinLock};
use ostd::task::Task;
use rules::abi::errno::Errno;
use rules::machine::screen::Screen;
use spin::Once;

use self::canvas::Canvas;
use self::framebuffer::Framebuffer;
use crate::machine::clock;
use crate::machine::clock::timer;
use crate::machine::kernel_task::{KernelTask, Sleeper, Urgency};

/// The delay from a change until it is drawn together with all others.
const FRAME: Duration = Duration::from_millis(33);

/// Prints a line to the first serial port and to the screen.
macro_rules! println {
    ($($words:tt)*) => { $crate::machine::console::print(format_args!($($words)*)) };
}
pub(crate) use println;

static DISPLAY: Once<Display> = Once::new();
static PAINTER: KernelTask = KernelTask::new(Urgency::Background);

struct Display {
    text: SpinLock<Text, LocalIrqDisabled>,
    canvas: SpinLock<Canvas>,
}

struct Text {
    screen: Screen,
    /// Text was written that no pass has drawn completely.
    has_news: bool,
}

/// Opens the screen, if the boot loader set up one that can be drawn on. `width` is the number of visible pixels per
/// line; `None` stands for all.
pub(crate) fn open(width: Option<usize>) {
    match Framebuffer::find(width) {
        Ok(Some(framebuffer)) => {
            DISPLAY.call_once(|| Display::new(framebuffer));
        }
        Ok(None) => {}
        Err(reason) => println!("pollux: the screen is left alone: {}", reason),
    }
}

/// Prints a line, for [`println!`].
pub(crate) fn print(words: fmt::Arguments<'_>) {
    early_print(format_args!("{words}\n"));
    if let Some(display) = DISPLAY.get() {
        display.change(|screen| {
            // Writing to the screen cannot fail.
            let _ = writeln!(Lines(screen), "{words}");
        });
    }
}

/// Shows output to the first serial port on the screen. Interrupts are off meanwhile, so `bytes` should be few.
pub(crate) fn show(bytes: &[u8]) {
    if let Some(display) = DISPLAY.get() {
        display.change(|screen| screen.write(bytes));
    }
}

/// Draws all changes now, before the machine is switched off.
pub(crate) fn flush() {
    if let Some(display) = DISPLAY.get() {
        display.draw();
    }
}

/// Draws the last messages of a kernel that has panicked, unless the panic interrupted drawing.
pub(crate) fn flush_in_panic() {
    /// More attempts to lock than drawing a row takes.
    const PATIENCE: usize = 10_000_000;
    if let Some(display) = DISPLAY.get()
        && let Some(mut canvas) = (0..PATIENCE).find_map(|_| display.canvas.try_lock())
    {
        (0..canvas.rows()).for_each(|row| display.draw_row(&mut canvas, row));
    }
}

/// Starts the task that draws, if there is a screen. The clock must run.
///
/// # Errors
/// `ENOMEM`: there is no memory for a task.
pub(crate) fn start() -> Result<(), Errno> {
    DISPLAY.get().map_or(Ok(()), |display| PAINTER.spawn(|sleeper| serve(display, sleeper)))
}

fn serve(display: &Display, sleeper: &Sleeper) {
    loop {
        // Changes in the meantime are drawn together.
        let due = clock::now() + FRAME;
        while clock::now() < due {
            timer::sleep_until(sleeper, Some(due));
        }
        display.draw();
        sleeper.sleep();
    }
}

impl Display {
    fn new(framebuffer: Framebuffer) -> Self {
        let canvas = Canvas::new(framebuffer);
        let screen = Screen::new(canvas.columns(), canvas.rows());
        Self { text: SpinLock::new(Text { screen, has_news: false }), canvas: SpinLock::new(canvas) }
    }

    fn change(&self, change: impl FnOnce(&mut Screen)) {
        let mut text = self.text.lock();
        change(&mut text.screen);
        let is_first = !core::mem::replace(&mut text.has_news, true);
        drop(text);
        if is_first {
            PAINTER.wake();
        }
    }

    /// Draws all changed rows, from the top. Later changes wake the task again.
    fn draw(&self) {
        self.text.lock().has_news = false;
        let rows = self.canvas.lock().rows();
        for row in 0..rows {
            self.draw_row(&mut self.canvas.lock(), row);
            Task::yield_now();
        }
    }

    fn draw_row(&self, canvas: &mut Canvas, row: usize) {
        if self.text.lock().screen.take_changed(row, canvas.next_row()) {
            canvas.draw(row);
        }
    }
}

/// Writes kernel messages, whose lines end without a carriage return.
struct Lines<'a>(&'a mut Screen);

impl Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    self.0.write(line.as_bytes());
                    self.0.write(b"\r\n");
                }
                None => self.0.write(line.as_bytes()),
            }
        }
        Ok(())
    }
}
