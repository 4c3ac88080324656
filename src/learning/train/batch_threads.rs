//! Threads that work on parts of one batch, each with its own autograd graph.
//!
//! For networks this small, one graph per core beats splitting every matrix product over the cores: nothing waits between two
//! operations, and the bookkeeping of autograd runs in parallel too. While a team lives, each of its threads computes
//! alone (one tensor-library thread).

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

/// What to compute from a part of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Loss only; the gradient in the answer is empty.
    Loss,
    /// Loss and gradient.
    Gradient,
}

type Sums = Result<(Tensor, Tensor), LearningError>;

/// Objective, weights and data as one thread sees them.
struct Worker {
    objective: Arc<dyn Objective>,
    parameters: Parameters,
    data: Vec<Tensor>,
}

impl Worker {
    fn work(&self, rows: &Tensor, work: Work) -> Sums {
        let batch: Vec<_> = self.data.iter().map(|tensor| tensor.index_select(0, rows)).collect();
        match work {
            Work::Gradient => self.objective.gradient(&self.parameters, &batch),
            Work::Loss => {
                let loss = no_grad(|| self.objective.loss(self.parameters.leaves(), &batch));
                Ok((loss, Tensor::new()))
            }
        }
    }
}

struct Member {
    tasks: Option<Sender<(Tensor, Work)>>,
    sums: Receiver<Sums>,
    thread: Option<JoinHandle<()>>,
}

/// The calling thread and its helpers.
pub struct BatchThreads {
    own: Worker,
    members: Vec<Member>,
    threads_before: i32,
}

impl BatchThreads {
    /// A team of `threads` threads, the calling one included.
    pub fn new(objective: Arc<dyn Objective>, parameters: &Parameters, data: &[Tensor], threads: usize) -> Self {
        let worker = || Worker {
            objective: objective.clone(),
            parameters: parameters.share(),
            data: data.iter().map(Tensor::shallow_clone).collect(),
        };
        let members = (1..threads.max(1)).map(|_| Member::start(worker())).collect();
        let threads_before = tch::get_num_threads();
        tch::set_num_threads(1);
        Self { own: worker(), members, threads_before }
    }

    /// Number of threads.
    pub fn size(&self) -> usize {
        1 + self.members.len()
    }

    /// Sums of loss and gradient over the samples of each piece, at most one piece per thread, in order.
    ///
    /// # Errors
    /// When a thread failed.
    pub fn work(&mut self, pieces: Vec<Tensor>, work: Work) -> Result<Vec<(Tensor, Tensor)>, LearningError> {
        let helpers = pieces.len() - 1;
        for (member, piece) in self.members.iter().zip(&pieces[1..]) {
            let tasks = member.tasks.as_ref().ok_or(LearningError::Thread)?;
            tasks.send((piece.shallow_clone(), work)).map_err(|_| LearningError::Thread)?;
        }
        let mut sums = vec![self.own.work(&pieces[0], work)];
        sums.extend(
            self.members[..helpers].iter().map(|member| receive(&member.sums).unwrap_or(Err(LearningError::Thread))),
        );
        sums.into_iter().collect()
    }
}

impl Member {
    fn start(worker: Worker) -> Self {
        let (tasks, inbox) = channel::<(Tensor, Work)>();
        let (outbox, sums) = channel();
        let thread = std::thread::spawn(move || {
            tch::set_num_threads(1);
            while let Some((rows, work)) = receive(&inbox) {
                if outbox.send(worker.work(&rows, work)).is_err() {
                    break;
                }
            }
        });
        Self { tasks: Some(tasks), sums, thread: Some(thread) }
    }
}

impl Drop for BatchThreads {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.tasks = None;
            if let Some(thread) = member.thread.take() {
                thread.join().ok();
            }
        }
        tch::set_num_threads(self.threads_before);
    }
}

/// The next message; `None` when the other end is gone. Spins for some hundred microseconds before it sleeps, because the next
/// message is usually that near.
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
