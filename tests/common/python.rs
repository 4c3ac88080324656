//! Python of this machine, for tests of what Python reads.

use std::process::{Command, Stdio};

/// A Python that can import all of `modules`: `$TESSERA_PYTHON`, or `python3`. `None`, with a word on standard error,
/// where there is none.
pub fn python_with(modules: &[&str]) -> Option<String> {
    let python = std::env::var("TESSERA_PYTHON").unwrap_or_else(|_| "python3".into());
    let import = modules.iter().map(|module| format!("import {module}")).collect::<Vec<_>>().join("\n");
    let imported = Command::new(&python).args(["-c", &import]).stderr(Stdio::null()).status();
    if imported.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!(
        "skipped: {python} cannot import {}; install tests/python/requirements.txt and set TESSERA_PYTHON",
        modules.join(", ")
    );
    None
}
