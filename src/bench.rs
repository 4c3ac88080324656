//! Kernels on the machine at hand.
/// Which.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Kernel {
    /// Glauber.
    Glauber,
}
/// Measures.
pub fn run(_kernel: Option<Kernel>, _json: bool) {}
