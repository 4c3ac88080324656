//! A trajectory of the Ising magnetisation with the library's kernel: `cargo run --release --example glauber`.

use tessera::{
    dynamics::{Dynamics, Law, Until},
    lattice::{Region, Shape},
    rng::{Purpose, stream},
    systems::{Ising, System},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (ising, shape) = (Ising::new(2.5, 0.1), Shape::plane(64, 64));
    let mut rng = stream(1, Purpose::SmallEvolve, [0, 0]);
    let mut window = Ising::closed_window(shape);
    window.load(&ising.draw(shape, Some(-0.5), &mut rng), [0; 3]);
    let mut kernel = <Ising as System>::Dynamics::default();
    for time in (0..=100).step_by(10) {
        println!("{time:4} {:7.3}", ising.observe(&window, Region::BOX)[0] / shape.sites() as f64);
        kernel.evolve(&ising, &mut window, Until::Time(10.0), &mut rng)?;
    }
    Ok(())
}
