//! The page of a scaling study: measurements of many jobs in a table and figures, and the cost model.

use crate::{
    evaluation::scaling::{CostModel, Network, ScalingPoint},
    report::{Axis, Block, Cell, Colour, Figure, Report, Section, Series, Table, series::Mark},
};

/// Groups of tiles of one colour in two dimensions.
const GROUPS: f64 = 4.0;
/// Network of the extrapolation, for one of many ranks on a node.
const FABRIC: Network = Network { latency: 3e-6, bandwidth: 5e8 };

/// The page of all measurements of a study, in any order. Repeats are averaged.
pub fn page(mut points: Vec<ScalingPoint>) -> Report {
    points.sort_by_key(|point| (point.system.clone(), point.sites, point.tile, point.ranks * point.threads));
    let runs = points.len();
    page_of(&averaged(points), runs)
}

/// Averages repeats of one measurement. Several repeats have the standard error between them.
fn averaged(points: Vec<ScalingPoint>) -> Vec<ScalingPoint> {
    let key = |point: &ScalingPoint| {
        let lattice = (point.system.clone(), point.sites, point.tile, point.quantum.to_bits());
        (lattice, point.ranks, point.threads)
    };
    let mut groups: Vec<Vec<ScalingPoint>> = Vec::new();
    for point in points {
        match groups.iter_mut().find(|group| key(&group[0]) == key(&point)) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    let mean = |group: Vec<ScalingPoint>| {
        let count = group.len() as f64;
        let average = |value: &dyn Fn(&ScalingPoint) -> f64| group.iter().map(value).sum::<f64>() / count;
        let seconds = average(&|point| point.seconds.0);
        let scatter = average(&|point| (point.seconds.0 - seconds).powi(2));
        let error = if count > 1.0 { (scatter / (count - 1.0)).sqrt() } else { group[0].seconds.1 };
        let (events, waited) = (average(&|point| point.events), average(&|point| point.waited));
        ScalingPoint { seconds: (seconds, error), events, waited, ..group[0].clone() }
    };
    groups.into_iter().map(mean).collect()
}

/// The measurement on one core with the lattice, tile and quantum of a point.
fn reference<'a>(points: &'a [ScalingPoint], point: &ScalingPoint) -> Option<&'a ScalingPoint> {
    points.iter().find(|other| {
        (other.ranks, other.threads, other.sites, other.tile) == (1, 1, point.sites, point.tile)
            && (other.quantum, &other.system) == (point.quantum, &point.system)
    })
}

/// The columns of a measurement.
fn columns(points: &[ScalingPoint], point: &ScalingPoint) -> [(&'static str, Cell); 18] {
    let sites = point.sites as f64;
    let one = reference(points, point);
    let model = one.zip(point.network).map_or(Cell::Empty, |(one, network)| {
        let seconds = CostModel::of(one, network).seconds(sites / point.ranks as f64, point.messages, point.bytes);
        Cell::Number(one.seconds.0 / seconds)
    });
    [
        ("system", Cell::Text(point.system.clone())),
        ("side", Cell::Number(point.side as f64)),
        ("sites", Cell::Number(sites)),
        ("tile", Cell::Number(point.tile as f64)),
        ("quantum", Cell::Number(point.quantum)),
        ("ranks", Cell::Number(point.ranks as f64)),
        ("threads", Cell::Number(point.threads as f64)),
        ("ms per sweep", Cell::Number(1e3 * point.seconds.0)),
        ("error", Cell::Number(1e3 * point.seconds.1)),
        ("events/s", Cell::Number(point.events / point.seconds.0)),
        ("speed-up", one.map_or(Cell::Empty, |one| Cell::Number(one.seconds.0 / point.seconds.0))),
        ("model", model),
        ("halo kB", Cell::Number(1e-3 * point.bytes)),
        ("messages", Cell::Number(point.messages)),
        ("ms idle", Cell::Number(1e3 * point.waited)),
        ("bytes per site", Cell::Number(point.memory)),
        ("peak MB", Cell::Number(1e-6 * point.peak)),
        ("s to start", Cell::Number(point.start)),
    ]
}

fn page_of(points: &[ScalingPoint], runs: usize) -> Report {
    let rows: Vec<_> = points.iter().map(|point| columns(points, point)).collect();
    let heads: Vec<&str> = rows.iter().take(1).flatten().map(|(head, _)| *head).collect();
    let table = Table::new("Sweeps of one lattice", &heads).described(
        "Speed-up is relative to one core with the same lattice. Model: the speed-up from the cost model, with the \
         site time on one core and the measured latency and bandwidth. Halo bytes, messages and idle time are per \
         sweep, for the busiest rank.",
        "a speed-up near the number of cores, and near the model.",
    );
    let table = rows.into_iter().fold(table, |table, row| table.row(row.map(|(_, cell)| cell).into()));
    let mut section = Section::new("Measured").with(Block::Table(table));
    if let Some(figure) = measured(points) {
        section = section.with(Block::Figure(figure)).with(Block::Figure(speed_of_a_core(points)));
    }
    if let Some(figure) = weak(points) {
        section = section.with(Block::Figure(figure));
    }
    let mut report =
        Report { title: "Scaling of sweeps".into(), subtitle: format!("{runs} runs"), sections: vec![section] };
    let square = |point: &&ScalingPoint| point.sites == point.side * point.side;
    if let Some(one) = points.iter().filter(square).rfind(|point| (point.ranks, point.threads) == (1, 1)) {
        report.sections.push(extrapolated(one));
    }
    report
}

/// The numbers of cores that were measured.
fn core_axis(points: &[ScalingPoint]) -> Axis {
    Axis::logarithmic("cores").marked(points.iter().map(|point| (point.ranks * point.threads) as f64))
}

/// Weak scaling: the efficiency of lattices that grow with the cores, for each number of sites a core. `None` where no
/// two measurements have one.
fn weak(points: &[ScalingPoint]) -> Option<Figure> {
    let cores = |point: &ScalingPoint| point.ranks * point.threads;
    let share = |point: &ScalingPoint| (point.sites / cores(point), point.tile, point.quantum.to_bits());
    let mut shares: Vec<_> = points.iter().map(share).collect();
    shares.sort_unstable();
    shares.dedup();
    let mut figure = Figure::new("Weak scaling", core_axis(points), Axis::linear("efficiency").from_to(0.0, 1.2))
        .described(
            "Time of a sweep with the fewest cores over that with more, at equal sites a core.",
            "a level line near 1.",
        );
    for (index, own) in shares.into_iter().enumerate() {
        let mut group: Vec<&ScalingPoint> = points.iter().filter(|&point| share(point) == own).collect();
        group.sort_by_key(|&point| cores(point));
        group.dedup_by_key(|point| cores(point));
        let [first, _, ..] = &group[..] else { continue };
        let x: Vec<f64> = group.iter().map(|point| cores(point) as f64).collect();
        let y: Vec<f64> = group.iter().map(|point| first.seconds.0 / point.seconds.0).collect();
        let colour = [Colour::Ours, Colour::Baseline, Colour::Other(0), Colour::Other(1)][index % 4];
        let mut series = Series::line(format!("{} sites a core, tiles of {}", own.0, own.1), colour, &x, &y);
        series.mark = Mark::Line;
        figure = figure.with(series);
    }
    (!figure.series.is_empty()).then_some(figure)
}

fn measured(points: &[ScalingPoint]) -> Option<Figure> {
    let of = |point: &ScalingPoint| (point.system.clone(), point.sites, point.tile);
    let mut lattices: Vec<_> = points.iter().map(of).collect();
    lattices.dedup();
    let most = points.iter().map(|point| point.ranks * point.threads).max().filter(|&most| most > 1)? as f64;
    let axes = (core_axis(points), Axis::logarithmic("speed-up"));
    let mut figure = Figure::new("Strong scaling", axes.0, axes.1).with(Series::line(
        "ideal",
        Colour::Truth,
        &[1.0, most],
        &[1.0, most],
    ));
    for (index, lattice) in lattices.iter().enumerate() {
        let own: Vec<&ScalingPoint> = points.iter().filter(|point| of(point) == *lattice).collect();
        let curve: Vec<(f64, f64)> = own
            .iter()
            .filter_map(|point| {
                let one = reference(points, point)?;
                Some(((point.ranks * point.threads) as f64, one.seconds.0 / point.seconds.0))
            })
            .collect();
        let (x, y): (Vec<f64>, Vec<f64>) = curve.into_iter().unzip();
        let colour = [Colour::Ours, Colour::Baseline][index % 2];
        if !x.is_empty() {
            let (system, sites, tile) = lattice;
            figure = figure.with(Series::line(format!("{system}, {sites} sites, tiles of {tile}"), colour, &x, &y));
        }
    }
    Some(figure.described("Speed-up of one lattice on more cores.", "points near the ideal line."))
}

/// Events per second and core of all measurements. More cores should not lower it.
fn speed_of_a_core(points: &[ScalingPoint]) -> Figure {
    let cores = |point: &ScalingPoint| (point.ranks * point.threads) as f64;
    let (x, y): (Vec<f64>, Vec<f64>) =
        points.iter().map(|point| (cores(point), point.events / point.seconds.0 / cores(point))).unzip();
    Figure::new("Events per second and core", core_axis(points), Axis::linear("events per second and core"))
        .with(Series::points("all lattices", Colour::Ours, &x, &y))
        .described(
            "All measurements, including weak scaling.",
            "a constant level: the speed of a core does not depend on the number of cores.",
        )
}

/// The cost model beyond the measured lattices and machines.
fn extrapolated(one: &ScalingPoint) -> Section {
    let model = CostModel::of(one, FABRIC);
    let ranks: Vec<f64> = (0..=8).map(|power| 10_f64.powf(0.5 * f64::from(power))).collect();
    let mut figure =
        Figure::new("Extrapolation to 10,000 ranks", Axis::logarithmic("ranks"), Axis::linear("parallel efficiency"));
    for (sites, label, colour) in [(1e8, "10^8 sites", Colour::Ours), (1e6, "10^6 sites", Colour::Baseline)] {
        let alone = model.square(sites, 1.0, GROUPS);
        let efficiency: Vec<f64> = ranks.iter().map(|&n| alone / (n * model.square(sites, n, GROUPS))).collect();
        figure = figure.with(Series::line(label, colour, &ranks, &efficiency));
    }
    let text = format!(
        "The cost model is T = n t_site + messages x latency + bytes / bandwidth, with t_site = {:.3e} s as measured \
         on one core, {:.1e} s per message and {:.1e} bytes per second. It assumes square blocks, a halo of one byte \
         per site, eight neighbours and four groups of tiles per sweep. It neglects the overlap of messages and \
         computation, jitter, and the slow-down of a node whose cores are all busy.",
        model.site, FABRIC.latency, FABRIC.bandwidth
    );
    Section::new("Cost model").with(Block::Text(text)).with(Block::Figure(
        figure.described("Efficiency of the cost model.", "the onset of latency, at about 10^4 sites per rank."),
    ))
}
