//! Signals that ask for a clean stop, caught from the first moment of the program on: batch systems send them whenever
//! they like.

use clap::ValueEnum;
use signal_hook::{
    consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU},
    flag,
    low_level::raise,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

/// What Slurm, LSF, SGE and PBS send before they kill.
const ALWAYS: [i32; 4] = [SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU];

/// Another signal that asks for a clean stop.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub enum StopSignal {
    Alrm,
    Hup,
    Int,
    Quit,
}

/// Flags that signals set.
pub struct Signals {
    /// Set when a signal asks for a clean stop.
    pub stop: Arc<AtomicBool>,
    /// Set where nobody looks at `stop`: signals then end the program, as they do by default.
    end: Arc<AtomicBool>,
}

impl Signals {
    /// Catches the signals that always ask for a stop.
    pub fn catch() -> Self {
        let signals = Self { stop: Arc::default(), end: Arc::default() };
        ALWAYS.into_iter().for_each(|signal| signals.add(signal));
        signals
    }

    /// Catches one more signal.
    pub fn also(&self, signal: StopSignal) {
        self.add(match signal {
            StopSignal::Alrm => SIGALRM,
            StopSignal::Hup => SIGHUP,
            StopSignal::Int => SIGINT,
            StopSignal::Quit => SIGQUIT,
        });
    }

    fn add(&self, signal: i32) {
        flag::register_conditional_default(signal, Arc::clone(&self.end)).expect("these signals may be handled");
        flag::register(signal, Arc::clone(&self.stop)).expect("these signals may be handled");
    }

    /// Gives all signals their default effect, also that which has arrived already: for commands that do not stop
    /// cleanly.
    pub fn end_at_once(&self) {
        self.end.store(true, SeqCst);
        if self.stop.load(SeqCst) {
            raise(SIGTERM).ok();
        }
    }
}
