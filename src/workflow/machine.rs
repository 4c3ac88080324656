//! What the machine has.

/// Whose memory [`memory`] is, in messages.
pub const WHO: &str = "this machine has";

/// Bytes of memory of this machine, or of the control group that the kernel confines this process to; infinite if it
/// does not tell.
pub fn memory() -> f64 {
    let total = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(1024.0 * line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()?)
    };
    let confined = || {
        let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let group = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        std::fs::read_to_string(format!("/sys/fs/cgroup{group}/memory.max")).ok()?.trim().parse::<f64>().ok()
    };
    total().unwrap_or(f64::INFINITY).min(confined().unwrap_or(f64::INFINITY))
}
