//! Threads that each compute a part of a batch, with an autograd graph of their own.
//!
//! For small networks one graph per core is faster than splitting every matrix product over the cores: no thread waits
//! between two operations, and the bookkeeping of autograd runs in parallel too. While the threads exist, the tensor
//! library runs on one thread within each.

use crate::learning::{
    LearningError,
    train::{objective::Objective, parameters::Parameters},
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::JoinHandle,
};
use tch::{Tensor, no_grad};

/// What to compute for a part of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The loss alone. The returned gradient is empty.
    Loss,
    /// Loss and gradient.
    Gradient,
}

type Sums = Result<(Tensor, Tensor), LearningError>;

/// The objective, and one thread's handles to weights and data.
struct Worker {
    objective: Arc<dyn Objective>,
    parameters: Parameters,
    data: Vec<Tensor>,
}

impl Worker {
    fn run(&self, rows: &Tensor, quantity: Quantity) -> Sums {
        let batch: Vec<_> = self.data.iter().map(|tensor| tensor.index_select(0, rows)).collect();
        match quantity {
            Quantity::Gradient => self.objective.gradient(&self.parameters, &batch),
            Quantity::Loss => {
                let loss = no_grad(|| self.objective.loss(self.parameters.leaves(), &batch));
                Ok((loss, Tensor::new()))
            }
        }
    }
}

struct Helper {
    tasks: Option<Sender<(Tensor, Quantity)>>,
    sums: Receiver<Sums>,
    thread: Option<JoinHandle<()>>,
}

/// The calling thread and its helpers.
pub struct BatchThreads {
    own: Worker,
    helpers: Vec<Helper>,
    threads_before: i32,
}

impl BatchThreads {
    /// `threads` threads, including the calling one.
    pub fn new(objective: Arc<dyn Objective>, parameters: &Parameters, data: &[Tensor], threads: usize) -> Self {
        let worker = || Worker {
            objective: objective.clone(),
            parameters: parameters.share(),
            data: data.iter().map(Tensor::shallow_clone).collect(),
        };
        let helpers = (1..threads.max(1)).map(|_| Helper::start(worker())).collect();
        let threads_before = tch::get_num_threads();
        tch::set_num_threads(1);
        Self { own: worker(), helpers, threads_before }
    }

    /// Number of threads.
    pub fn size(&self) -> usize {
        1 + self.helpers.len()
    }

    /// Sums of loss and gradient over the samples of each piece, in the order of the pieces. There is at most one piece
    /// per thread.
    ///
    /// # Errors
    /// When a thread ended early or the tensor library refuses an operation.
    pub fn run(&mut self, pieces: Vec<Tensor>, quantity: Quantity) -> Result<Vec<(Tensor, Tensor)>, LearningError> {
        let busy = pieces.len() - 1;
        for (helper, piece) in self.helpers.iter().zip(&pieces[1..]) {
            let tasks = helper.tasks.as_ref().ok_or(LearningError::Thread)?;
            tasks.send((piece.shallow_clone(), quantity)).map_err(|_| LearningError::Thread)?;
        }
        let mut sums = vec![self.own.run(&pieces[0], quantity)];
        sums.extend(
            self.helpers[..busy].iter().map(|helper| receive(&helper.sums).unwrap_or(Err(LearningError::Thread))),
        );
        sums.into_iter().collect()
    }
}

impl Helper {
    fn start(worker: Worker) -> Self {
        let (tasks, inbox) = channel::<(Tensor, Quantity)>();
        let (outbox, sums) = channel();
        let thread = std::thread::spawn(move || {
            tch::set_num_threads(1);
            while let Some((rows, quantity)) = receive(&inbox) {
                if outbox.send(worker.run(&rows, quantity)).is_err() {
                    break;
                }
            }
        });
        Self { tasks: Some(tasks), sums, thread: Some(thread) }
    }
}

impl Drop for BatchThreads {
    fn drop(&mut self) {
        for helper in &mut self.helpers {
            helper.tasks = None;
            if let Some(thread) = helper.thread.take() {
                thread.join().ok();
            }
        }
        tch::set_num_threads(self.threads_before);
    }
}

/// The next message, or `None` when the sender is gone. Spins for some hundred microseconds before it sleeps, because
/// the next message usually arrives within that time.
fn receive<T>(inbox: &Receiver<T>) -> Option<T> {
    for _ in 0..10_000 {
        match inbox.try_recv() {
            Ok(message) => return Some(message),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
        }
    }
    inbox.recv().ok()
}
