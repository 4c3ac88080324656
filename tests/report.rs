//! The report page stands alone, escapes what it is given, is well formed and shows what was put in.

use ndarray::{Array2, Array3};
use rand::Rng as _;
use tessera::evaluation::criticality::criticality;
use tessera::evaluation::distributions::{common_edges, density};
use tessera::evaluation::fit::power_law_fit;
use tessera::evaluation::trajectories::{mean_and_spread, test_error};
use tessera::evaluation::{Metric, Metrics};
use tessera::report::multiples::ensemble_panel;
use tessera::report::table::measured;
use tessera::report::*;
use tessera::rng::{Purpose, Rng, stream};

fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Relaxation from `start` with a lag and noise: [trajectory, time, 2].
fn relaxation(start: f64, bias: f64, noise: f64, item: u64) -> Array3<f64> {
    let mut rng = stream(5, Purpose::Bench, [item, 0]);
    let mut ensemble = Array3::zeros((20, 200, 2));
    for mut trajectory in ensemble.outer_iter_mut() {
        let (mut m, mut walls) = (start, 0.5 * (1.0 - start * start));
        for mut state in trajectory.outer_iter_mut() {
            state[0] = m;
            state[1] = walls;
            m += 0.03 * (0.75 + bias - m) * (1.2 + m) + noise * normal(&mut rng);
            walls += 0.05 * (0.5 * (1.0 - m * m) * 0.6 - walls) + 0.3 * noise * normal(&mut rng);
        }
    }
    ensemble
}

fn domains(side: usize, item: u64) -> Array2<i32> {
    let mut rng = stream(6, Purpose::Bench, [item, 0]);
    let mut field = Array2::from_shape_fn((side, side), |_| normal(&mut rng));
    for _ in 0..4 {
        let old = field.clone();
        let at = |row: usize, column: usize| old[[row % side, column % side]];
        field = Array2::from_shape_fn((side, side), |(row, column)| {
            at(row + 1, column) + at(row + side - 1, column) + at(row, column + 1) + at(row, column + side - 1)
        });
    }
    field.mapv(|value| if value > 0.0 { 1 } else { -1 })
}

fn figures() -> Vec<Figure> {
    let equilibrium = |centre: f64, item: u64| {
        let mut rng = stream(7, Purpose::Bench, [item, 0]);
        Array2::from_shape_fn((12, 400), |_| {
            let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            side * centre + 0.12 * normal(&mut rng)
        })
    };
    let (truth, ours) = (equilibrium(0.6, 1), equilibrium(0.57, 2));
    let edges = common_edges(&[truth.view(), ours.view()], 32).unwrap();
    let histogram = |sample: &Array2<f64>| density(sample.view(), &edges, 100, 1).unwrap();
    let probability = Figure::new("Equilibrium distribution", Axis::linear("magnetisation M"), Axis::linear("P(M)"))
        .with(Series::histogram("truth", Colour::Truth, &histogram(&truth)))
        .with(Series::histogram("tessera", Colour::Ours, &histogram(&ours)))
        .described("Density of M over the second half of each run; bands are one standard error.", "two equal peaks.");

    let sides = [16.0, 32.0, 48.0, 64.0, 128.0];
    let mut rng = stream(8, Purpose::Bench, [0, 0]);
    let chi: Vec<f64> =
        sides.iter().map(|side: &f64| 0.09 * side.powf(1.75) * (1.0 + 0.03 * normal(&mut rng))).collect();
    let errors: Vec<f64> = chi.iter().map(|value| 0.04 * value).collect();
    let fit = power_law_fit(&sides, &chi, Some(&errors)).unwrap();
    let label = format!("slope {}", measured(fit.slope.0, Some(fit.slope.1)));
    let scaling = Figure::new("Susceptibility", Axis::logarithmic("side L (sites)"), Axis::logarithmic("chi"))
        .with(Series::power_law(label, Colour::Guide, &fit, 14.0, 150.0))
        .with(Series::points("tessera", Colour::Ours, &sides, &chi).with_band(&errors))
        .described("Susceptibility at T = 2.27 against the side.", "a straight line of slope 1.75.");

    let epochs: Vec<f64> = (1..=100).map(f64::from).collect();
    let loss = |offset: f64| epochs.iter().map(|epoch| offset + 30.0 * (-epoch / 12.0).exp()).collect::<Vec<_>>();
    let training = Figure::new("Training", Axis::linear("epoch"), Axis::logarithmic("loss"))
        .with(Series::line("training", Colour::Ours, &epochs, &loss(0.01)))
        .with(Series::line("validation", Colour::Other(0), &epochs, &loss(0.05)).dashed())
        .described("Loss per pair.", "");
    let empty = Figure::new("Nothing finite", Axis::linear("t"), Axis::linear("y")).with(Series::line(
        "diverged",
        Colour::Baseline,
        &[0.0, 1.0],
        &[f64::NAN, f64::INFINITY],
    ));
    vec![probability, scaling, training, empty]
}

fn report() -> Report {
    let starts = [-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75];
    let times: Vec<f64> = (0..200).map(|step| 2.5 * f64::from(step)).collect();
    let truths: Vec<_> = starts.iter().zip(0..).map(|(start, item)| relaxation(*start, 0.0, 0.012, item)).collect();
    let ours: Vec<_> = starts.iter().zip(50..).map(|(start, item)| relaxation(*start, 0.004, 0.012, item)).collect();
    let baseline: Vec<_> = starts.iter().zip(90..).map(|(start, item)| relaxation(*start, 0.06, 0.03, item)).collect();
    let words: Vec<usize> = (0..truths.iter().map(|truth| truth.dim().0).sum()).collect();
    let score = |prediction: &[Array3<f64>]| {
        let pairs: Vec<_> = truths.iter().zip(prediction).map(|(a, b)| (a.view(), b.view())).collect();
        test_error(&pairs, &words, &[0, 1], 100, 1).unwrap()
    };
    let (own, other) = (score(&ours), score(&baseline));
    let panels = starts.iter().enumerate().map(|(index, start)| {
        let ensembles = [&truths, &ours, &baseline].map(|set| mean_and_spread(set[index].view()));
        let named = [
            ("baseline", Colour::Baseline, &ensembles[2]),
            ("truth", Colour::Truth, &ensembles[0]),
            ("tessera", Colour::Ours, &ensembles[1]),
        ];
        let (x, y) = (Axis::linear("time (sweeps)"), Axis::linear("M"));
        ensemble_panel(format!("M(0) = {start}"), x, y, &times, 0, &named)
    });
    let multiples = SmallMultiples::new("Magnetisation from seven initial states", panels.collect())
        .described("Mean (line) and one standard deviation (band) of 20 trajectories.", "blue on top of black.");
    let magnetisation = truths[6].slice(ndarray::s![.., 100.., 0]);
    let equilibrium = criticality(magnetisation, 4096, 2.5, 20, 200, 1).unwrap();
    let mut metrics = Metrics::new();
    metrics.insert("test_error", own.error.clone());
    metrics.insert("test_error_baseline", other.error.clone());
    metrics.insert("noise_floor", own.noise_floor.clone());
    metrics.insert("susceptibility", equilibrium.susceptibility);
    metrics.insert("drift_time", Metric::new(12345.678, Some(87.0), 3, "sweeps"));
    metrics.insert("diverged", own.diverged.metric());
    let palette = spins();
    let image =
        |side: usize, item| LatticeImage::new(format!("{side} × {side} sites"), domains(side, item).view(), &palette);
    let images = ImageGrid {
        title: "From the small system to the large one".into(),
        caption: "One snapshot at each level of upsampling.".into(),
        look_for: "domains of a natural shape, no blocks.".into(),
        images: vec![image(8, 1).unwrap(), image(16, 2).unwrap(), image(32, 3).unwrap(), image(64, 4).unwrap()],
        palette: Some(palette),
    };
    let field = Array2::from_shape_fn((60, 120), |(row, column)| ((row + column) as f64 / 9.0).sin());
    let fields = ImageGrid {
        title: "Prey density".into(),
        images: vec![LatticeImage::field("space against time", field.view(), (-1.0, 1.0)).unwrap()],
        ..ImageGrid::default()
    };
    let tile = |label: &str, value: String, note: &str| Highlight { label: label.into(), value, note: note.into() };
    let highlights = vec![
        tile("Test error", measured(own.error.value, own.error.std_error), "noise of finite ensembles: see table"),
        tile("Baseline", measured(other.error.value, other.error.std_error), "same data, conventional loss"),
        tile("Diverged", format!("{} of {}", own.diverged.prediction, own.diverged.prediction_of), "trajectories"),
    ];
    let summary = Section::new("Result")
        .with(Block::Highlights(highlights))
        .with(Block::Text(
            "A model of the large lattice, learned from patches.\n\nAll errors are one standard error.".into(),
        ))
        .with(Block::Warning("3 of 140 baseline trajectories diverged & are not in the means.".into()))
        .with(Block::Table(Table::of_metrics("Metrics", &metrics).described("Errors by bootstrap.", "")));
    let mut dynamics = Section::new("Dynamics").with(Block::Multiples(multiples));
    figures().into_iter().for_each(|figure| dynamics.blocks.push(Block::Figure(figure)));
    let system = Section::new("System <script>alert('x')</script>")
        .with(Block::Images(images))
        .with(Block::Images(fields))
        .with(Block::Verbatim("Input".into(), "[system]\nname = \"ising\" # a < b".into()));
    let title = "Ising, 16² → 64²".into();
    Report { title, subtitle: "T = 2.5, h = 0.1 & K = 16".into(), sections: vec![summary, dynamics, system] }
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let html = report().html().unwrap();
    std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html"), &html).unwrap();
    for forbidden in ["http:", "https:", "<script", "<link", "@import", "url(", "onload", "<iframe"] {
        assert!(!html.contains(forbidden), "the page contains {forbidden}");
    }
    let sources: Vec<_> = html.match_indices("src=\"").map(|(at, _)| &html[at + 5..at + 27]).collect();
    assert_eq!(sources.len(), 5);
    assert!(sources.iter().all(|source| *source == "data:image/png;base64,"), "{sources:?}");
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
}

#[test]
fn text_is_escaped_everywhere() {
    let html = report().html().unwrap();
    assert!(html.contains("System &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    assert!(html.contains("h = 0.1 &amp; K = 16"));
    assert!(html.contains("# a &lt; b"));
    let hostile = "<b>\"&'";
    let table = Table::new(hostile, &[hostile]).row(vec![hostile.into()]).described(hostile, hostile);
    let series = Series::line(hostile, Colour::Ours, &[0.0, 1.0], &[0.0, 1.0]);
    let figure = Figure::new(hostile, Axis::linear(hostile), Axis::linear(hostile)).with(series);
    for html in [table.html(), figure.html().unwrap()] {
        assert!(!html.replace("<b>Look for</b>", "").contains("<b>"), "{html}");
    }
}

/// Every element that opens also closes, in order: a small reader of tags, strict about nesting and quotes.
#[test]
fn the_page_is_well_formed() {
    let html = report().html().unwrap();
    let mut open: Vec<String> = Vec::new();
    let body = html.split_once("<html").map(|(_, rest)| format!("<html{rest}")).unwrap();
    let mut rest = body.as_str();
    while let Some(start) = rest.find('<') {
        let is_style = open.last().is_some_and(|name| name == "style");
        assert!(is_style || !rest[..start].contains('>'), "stray > in {:?}", &rest[..start.min(80)]);
        let end = start + rest[start..].find('>').expect("a tag that does not end");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else if !tag.ends_with('/') && !["meta", "img", "br"].contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn figures_are_in_the_page_with_their_series() {
    let html = report().html().unwrap();
    assert_eq!(html.matches("role=\"img\"").count(), 7 + 4);
    assert!(!html.to_lowercase().contains("\"#01"), "a colour marker was left in a drawing");
    let order = ["</svg>truth<", "</svg>tessera<", "</svg>baseline<"].map(|name| html.find(name).unwrap());
    assert!(order.is_sorted(), "the legend lists truth, ours, baseline");
    for variable in ["--truth", "--ours", "--baseline"] {
        assert_eq!(html.matches(&format!("{variable}:")).count(), 3, "light, dark and paper values of {variable}");
        assert!(html.contains(&format!("<polyline fill=\"none\" opacity=\"1\" stroke=\"var({variable})\"")));
        let band = html.contains(&format!("<polygon opacity=\"0.16\" fill=\"var({variable})\""));
        assert_eq!(band, variable != "--baseline", "band of {variable}: the baseline's would hide the others");
    }
    assert_eq!(html.matches("no finite values to draw").count(), 1);
    assert!(html.contains("stroke-dasharray=\"48 32\""));
    assert!(html.contains(">\n100\n</text>") || html.contains(">100\n</text>"), "tick of the logarithmic axis");
}

#[test]
fn a_line_leaves_the_frame_at_its_border() {
    let series = Series::line("", Colour::Ours, &[0.0, 1.0, 2.0], &[0.0, 10.0, 0.0]);
    let figure = Figure::new("", Axis::linear("x"), Axis::linear("y").from_to(0.0, 5.0)).with(series);
    let svg = figure.svg().unwrap();
    let line = svg.lines().find(|line| line.contains("var(--ours)")).unwrap();
    let pieces = svg.lines().filter(|line| line.contains("var(--ours)")).count();
    assert_eq!(pieces, 2, "up and down, cut at the top");
    let points = line.split_once("points=\"").unwrap().1.split_once('"').unwrap().0;
    let ends: Vec<Vec<f64>> =
        points.split_whitespace().map(|point| point.split(',').map(|c| c.parse().unwrap()).collect()).collect();
    let top = 30.0 * 8.0;
    assert!((ends[1][1] - top).abs() <= 8.0, "{ends:?}");
    assert!(ends[1][0] < ends[0][0] + 0.3 * (460.0 * 8.0), "leaves at a quarter of the width: {ends:?}");
}

#[test]
fn ticks_are_round_numbers() {
    let labels = |y: Axis, values: &[f64]| -> Vec<String> {
        let times: Vec<f64> = (0..values.len()).map(|time| time as f64).collect();
        let figure = Figure::new("", Axis::linear("t"), y).with(Series::line("", Colour::Ours, &times, values));
        let svg = figure.svg().unwrap();
        let texts = svg.split("text-anchor=\"end\"").skip(1).map(|text| {
            let content = text.split_once('>').map_or("", |(_, rest)| rest);
            content.split('<').next().unwrap_or("").trim().to_owned()
        });
        texts.filter(|text| text != "t").collect()
    };
    assert_eq!(labels(Axis::linear("y"), &[-0.4, 0.4]), ["−0.4", "−0.2", "0", "0.2", "0.4"]);
    assert_eq!(labels(Axis::linear("y"), &[0.0, 1.5e-5]), ["0", "0.5·10⁻⁵", "1.0·10⁻⁵", "1.5·10⁻⁵"]);
    assert_eq!(labels(Axis::linear("y"), &[0.0, 0.0]), ["−1.0", "−0.5", "0", "0.5", "1.0"]);
    assert_eq!(labels(Axis::logarithmic("y"), &[1e-5, 10.0]), ["10⁻⁵", "10⁻⁴", "10⁻³", "0.01", "0.1", "1", "10"]);
    assert_eq!(labels(Axis::logarithmic("y"), &[0.0, 2.0, 8.0]), ["2", "2.5", "3", "4", "5", "6", "7", "8"]);
}

#[test]
fn a_lattice_becomes_the_same_pixels() {
    let sites = ndarray::arr2(&[[1, -1, -1], [1, 1, -1]]);
    let image = LatticeImage::new("", sites.view(), &spins()).unwrap();
    let encoded = image.address.strip_prefix("data:image/png;base64,").unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.width, frame.height), (3, 2));
    let (up, down) = ([244, 236, 220], [31, 62, 99]);
    let expected: Vec<u8> = [up, down, down, up, up, down].concat();
    assert_eq!(pixels, expected);
    let unknown = LatticeImage::new("", ndarray::arr2(&[[1, 7]]).view(), &spins());
    assert!(matches!(unknown, Err(ReportError::Palette { row: 0, column: 1, value: 7 })));
}

#[test]
fn numbers_show_the_digits_their_errors_allow() {
    let cases = [
        (0.000801, Some(0.00003), "(8.0 ± 0.3) × 10⁻⁴"),
        (0.5134, Some(0.0213), "0.51 ± 0.02"),
        (0.5134, Some(0.0133), "0.513 ± 0.013"),
        (1.751, Some(0.0961), "1.75 ± 0.10"),
        (-2.0, Some(0.5), "−2.0 ± 0.5"),
        (12345.678, Some(87.0), "(1.235 ± 0.009) × 10⁴"),
        (3.2e-7, None, "3.200 × 10⁻⁷"),
        (140.0, None, "140"),
        (0.0, Some(0.02), "0.00 ± 0.02"),
        (2e-5, Some(3e-4), "(0 ± 3) × 10⁻⁴"),
        (f64::NAN, None, "not finite"),
    ];
    for (value, error, text) in cases {
        assert_eq!(measured(value, error), text);
    }
}

/// Colours of spins -1 and 1.
fn spins() -> LatticePalette {
    LatticePalette::of(&[(1, [244, 236, 220], "spin up"), (-1, [31, 62, 99], "spin down")])
}
