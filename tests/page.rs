//! The page in a browser: no text lies on another one, at the widths of a phone and of a desk. Skipped without Chromium.

mod common;

use common::{small_input, succeeds};
use std::process::Command;

/// Lists pairs of texts that overlap, in the title of the page.
const SCRIPT: &str = r#"<script>
addEventListener("load", () => {
  const boxes = [];
  for (const figure of document.querySelectorAll("svg[role=img]"))
    boxes.push([...figure.querySelectorAll("text")].map(text => [text.textContent.trim(), text.getBoundingClientRect()]));
  const leaves = [...document.querySelectorAll("h1, h2, h3, h4, td, th, li, dt, dd b, dd span, p")];
  boxes.push(leaves.filter(leaf => leaf.offsetParent && !leaf.closest(".scroll, details"))
    .map(leaf => [leaf.textContent.trim(), leaf.getBoundingClientRect()]));
  const found = [];
  for (const group of boxes)
    group.forEach(([one, a], index) => group.slice(index + 1).forEach(([two, b]) => {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (one && two && across > 1 && down > 3) found.push(one.slice(0, 40) + " | " + two.slice(0, 40));
    }));
  const wide = document.documentElement.scrollWidth > innerWidth + 1;
  const texts = boxes.reduce((sum, group) => sum + group.length, 0);
  const mute = [...document.querySelectorAll("svg:not([aria-hidden]), img")]
    .filter(image => !(image.getAttribute("aria-label") || image.getAttribute("alt") || "").trim()).length;
  const faults = `${wide ? " TOO WIDE" : ""}${mute ? ` ${mute} WITHOUT ALT TEXT` : ""}`;
  parent.postMessage(`OVERLAPS ${found.length} OF ${texts} AT ${innerWidth} ${found.join(" ;; ")}${faults} END`, "*");
});
</script>"#;

/// Shows the page in a frame, since a window is never narrower than 500 pixels.
fn framed(width: usize) -> String {
    format!(
        "<body style=\"margin:0\"><iframe src=\"watched.html\" width=\"{width}\" height=\"900\" style=\"border:0\"></iframe>\
         <script>addEventListener(\"message\", found => document.body.textContent = found.data)</script></body>"
    )
}

fn chromium() -> Option<String> {
    let names = [std::env::var("TESSERA_CHROMIUM").unwrap_or_default(), "chromium".into(), "google-chrome".into()];
    names.into_iter().find(|name| !name.is_empty() && Command::new(name).arg("--version").output().is_ok())
}

#[test]
fn no_text_of_the_page_lies_on_another_one() {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: there is no chromium; install it or set TESSERA_CHROMIUM");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run"));
    succeeds(0, &["run", &input, "--out", out.to_str().unwrap(), "--set", "truth.records=40"]);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    let watched = folder.path().join("watched.html");
    let frame = folder.path().join("frame.html");
    std::fs::write(&watched, page.replace("</body>", &format!("{SCRIPT}</body>"))).unwrap();
    for width in [400, 1300] {
        std::fs::write(&frame, framed(width)).unwrap();
        let output = Command::new(&chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg("--window-size=1300,900")
            .arg(format!("file://{}", frame.display()))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.split("OVERLAPS ").nth(1).and_then(|rest| rest.split(" END").next());
        let found = found.unwrap_or_else(|| panic!("no answer at {width} pixels:\n{text}"));
        assert!(found.starts_with("0 OF ") && found.contains(&format!(" AT {width} ")), "{width} pixels: {found}");
        assert!(!found.contains("TOO WIDE") && !found.contains("ALT TEXT"), "{width} pixels: {found}");
    }
}
