//! All ranks of an MPI job, or a team of some of them.

use super::{Message, Ranks};
use mpi::{
    Threading,
    collective::SystemOperation,
    datatype::PartitionMut,
    environment::Universe,
    topology::{Color, SimpleCommunicator},
    traits::{AsRaw, Communicator, CommunicatorCollectives, Destination, Root, Source},
};
use std::{io::Write, rc::Rc};

/// The MPI world, or a part of it. Only the thread that made it calls MPI. Rayon threads compute between calls.
///
/// MPI ends when its last communicator is dropped, so a team may outlive the world.
pub struct World {
    world: SimpleCommunicator,
    node: SimpleCommunicator,
    /// Dropped after the communicators, because fields drop in order.
    universe: Rc<Universe>,
}

impl World {
    /// Starts MPI with funnelled threads. `None` if this process has already started MPI.
    pub fn start() -> Option<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)?;
        let world = universe.world();
        let node = world.split_shared(world.rank());
        Some(Self { world, node, universe: Rc::new(universe) })
    }

    /// Divides the ranks into teams of `size` neighbours and returns the team of this rank and its index. The last team
    /// may be smaller. Collective.
    pub fn team(&self, size: usize) -> (Self, usize) {
        let index = self.rank() / size.max(1);
        let color = Color::with_value(index as i32);
        let team = self.world.split_by_color(color).expect("every rank is in a team");
        let node = team.split_shared(team.rank());
        (Self { world: team, node, universe: Rc::clone(&self.universe) }, index)
    }

    /// Makes a panic on any thread of this rank print its message and end the whole job.
    pub fn abort_on_panic(&self) {
        let report = std::panic::take_hook();
        let (rank, size) = (self.rank(), self.size());
        std::panic::set_hook(Box::new(move |panic| {
            report(panic);
            eprintln!("tessera: rank {rank} of {size} panicked. This is a bug in tessera, please report it.");
            std::thread::sleep(std::time::Duration::from_millis(300));
            // SAFETY: MPI was started by `self` and the world communicator lives until the process ends.
            unsafe { mpi::ffi::MPI_Abort(mpi::ffi::RSMPI_COMM_WORLD, 1) };
        }));
    }

    /// The communicator in C, for parallel HDF5.
    pub fn raw(&self) -> mpi::ffi::MPI_Comm {
        self.world.as_raw()
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn node_rank(&self) -> usize {
        self.node.rank() as usize
    }

    fn sum(&self, values: &mut [f64]) {
        if self.size() > 1 {
            let mine = values.to_vec();
            self.world.all_reduce_into(&mine[..], values, SystemOperation::sum());
        }
    }

    fn mean(&self, values: &mut [f32]) {
        if self.size() > 1 {
            let mine = values.to_vec();
            self.world.all_reduce_into(&mine[..], values, SystemOperation::sum());
            let share = 1.0 / self.size() as f32;
            values.iter_mut().for_each(|value| *value *= share);
        }
    }

    fn broadcast(&self, bytes: &mut [u8]) {
        self.world.process_at_rank(0).broadcast_into(bytes);
    }

    fn all_gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lengths = vec![0_u64; self.size()];
        self.world.all_gather_into(&(bytes.len() as u64), &mut lengths[..]);
        let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
        let mut parts = vec![Vec::new(); self.size()];
        // MPI counts in 32 bits, so longer messages take several rounds.
        let most = i32::MAX as usize / self.size();
        for first in (0..lengths.iter().copied().max().unwrap_or(0)).step_by(most) {
            let counts: Vec<i32> = lengths.iter().map(|length| length.saturating_sub(first).min(most) as i32).collect();
            let starts: Vec<i32> =
                counts.iter().scan(0, |end, count| Some(std::mem::replace(end, *end + count))).collect();
            let mut round = vec![0; counts.iter().sum::<i32>() as usize];
            let own = &bytes[first.min(bytes.len())..][..counts[self.rank()] as usize];
            self.world.all_gather_varcount_into(own, &mut PartitionMut::new(&mut round[..], &counts[..], &starts[..]));
            let mut rest = &round[..];
            for (part, &count) in parts.iter_mut().zip(&counts) {
                let (more, others) = rest.split_at(count as usize);
                part.extend_from_slice(more);
                rest = others;
            }
        }
        parts
    }

    fn exchange(&self, outgoing: &[Message], incoming: &mut [Message], meanwhile: &mut dyn FnMut()) {
        mpi::request::scope(|scope| {
            let receives: Vec<_> = incoming
                .iter_mut()
                .map(|Message { rank, bytes }| {
                    self.world.process_at_rank(*rank as i32).immediate_receive_into(scope, &mut bytes[..])
                })
                .collect();
            let sends: Vec<_> = outgoing
                .iter()
                .map(|Message { rank, bytes }| {
                    self.world.process_at_rank(*rank as i32).immediate_send(scope, &bytes[..])
                })
                .collect();
            meanwhile();
            for request in receives {
                request.wait();
            }
            for request in sends {
                request.wait();
            }
        });
    }

    fn barrier(&self) {
        self.world.barrier();
    }

    fn abort(&self, message: &str) -> ! {
        if self.universe.world().size() == 1 {
            // No other rank waits: MPI ends as after a good run, and adds no word of its own.
            eprintln!("tessera: {message}");
            // SAFETY: MPI was started by `self`, and nothing calls it after this: the process exits.
            unsafe { mpi::ffi::MPI_Finalize() };
            std::process::exit(1);
        }
        // A single write keeps the messages of several ranks apart.
        let line = format!("tessera: rank {} of {}: {message}\n", self.rank(), self.size());
        std::io::stderr().write_all(line.as_bytes()).ok();
        // mpirun forwards the message in another process, which needs some time before the abort.
        std::thread::sleep(std::time::Duration::from_millis(300));
        self.world.abort(1)
    }
}
