//! What is broken is refused by name; nothing hangs and nothing that was complete is lost.

mod common;

use common::{small_input, tessera};

#[test]
fn a_truncated_or_foreign_file_is_refused_by_name_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let stage = |ranks, name| tessera(ranks, &[name, &input, "--out", out.to_str().unwrap(), "--threads", "1"]);
    assert!(stage(0, "simulate").status.success() && stage(0, "upsample").status.success());
    let (large, small) = (out.join("large.h5"), out.join("small.h5"));
    let whole = std::fs::read(&large).unwrap();
    for broken in [whole[..whole.len() / 2].to_vec(), b"not HDF5 at all".to_vec(), std::fs::read(&small).unwrap()] {
        std::fs::write(&large, broken).unwrap();
        let output = stage(2, "evolve");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "a broken file was accepted");
        assert!(error.contains("large.h5"), "{error}");
        assert!(!out.join("pairs.h5").exists());
    }
    assert!(small.exists() && stage(0, "report").status.code() != Some(0), "nothing that was complete is lost");
}
