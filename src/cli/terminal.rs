//! What a terminal wants of the program: its version, completions of the shell, a man page, `--set` wherever it stands.

use clap::Command;
use clap_complete::Shell;
use std::{ffi::OsString, io, sync::LazyLock};

/// Version, revision and the libraries that this binary runs with.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (major, minor, micro) = hdf5::library_version();
    let mpi = mpi::environment::library_version().unwrap_or_default();
    let mpi = mpi.trim_end_matches('\0').split(',').next().unwrap_or_default().trim();
    format!(
        "{}\nrevision {}\n{mpi}\nHDF5 {major}.{minor}.{micro}\nlibtorch {}",
        env!("CARGO_PKG_VERSION"),
        env!("TESSERA_REVISION"),
        env!("TESSERA_LIBTORCH"),
    )
});

/// Prints a script with which a shell completes commands and options.
pub fn completions(mut command: Command, shell: Shell) {
    clap_complete::generate(shell, &mut command, "tessera", &mut io::stdout());
}

/// Prints the man page of the program, with those of its commands behind it.
///
/// # Errors
/// When nobody reads it.
pub fn man(mut command: Command) -> io::Result<()> {
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut io::stdout())?;
    let shown = |inner: &&Command| inner.get_name() != "help";
    command
        .get_subcommands()
        .filter(shown)
        .try_for_each(|inner| clap_mangen::Man::new(inner.clone()).render(&mut io::stdout()))
}

/// Writes `--set A=1 B=2` as `--set=A=1 --set=B=2`: the values end where no KEY=VALUE follows, and the input may stand
/// behind them.
pub fn with_every_set(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let (mut all, mut values) = (Vec::new(), 0);
    let mut setting = false;
    for argument in arguments {
        let text = argument.to_string_lossy().into_owned();
        let value = setting && !text.starts_with('-') && (values == 0 || text.contains('='));
        if setting && !value && values == 0 {
            // clap says what is missing.
            all.push("--set".into());
        }
        setting = text == "--set" || value;
        match (value, setting) {
            (true, _) => {
                all.push(format!("--set={text}").into());
                values += 1;
            }
            (false, true) => values = 0,
            (false, false) => all.push(argument),
        }
    }
    if setting && values == 0 {
        all.push("--set".into());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_to_set_may_stand_before_the_input() {
        let split = |text: &str| {
            let all = with_every_set(text.split(' ').map(OsString::from));
            all.iter().map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(split("run --set a=1 b=2 in.toml --out x"), "run --set=a=1 --set=b=2 in.toml --out x");
        assert_eq!(split("run in.toml --set a=1 --out x=1"), "run in.toml --set=a=1 --out x=1");
        assert_eq!(split("run --set wrong in.toml --set --out"), "run --set=wrong in.toml --set --out");
        assert_eq!(split("run --set"), "run --set");
    }
}
