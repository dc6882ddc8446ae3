//! What the program logs, for a test to read.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged on the thread that made it, until it is dropped; a test whose runtime has one thread hears
/// everything.
pub struct Log {
    written: Written,
    _here: tracing::subscriber::DefaultGuard,
    _second: tracing::Dispatch,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    pub fn listen() -> Self {
        let written = Written::default();
        // With a single subscriber alive, tracing asks only the thread that meets an event first, and that may be another
        // test's. A second one makes it ask all.
        let second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("sotto=trace,info")
            .with_ansi(false)
            .with_writer(written.clone())
            .finish();
        Self { written, _here: tracing::subscriber::set_default(subscriber), _second: second }
    }

    /// What was logged so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of level ERROR that hold `words`.
    pub fn errors(&self, words: &str) -> Vec<String> {
        let text = self.text();
        text.lines().filter(|line| line.contains("ERROR") && line.contains(words)).map(str::to_owned).collect()
    }
}
