//! Ranks that are threads of one process, so that tests need no launcher.

use std::{
    collections::HashMap,
    sync::{Arc, Barrier, Mutex},
};
use tessera::parallel::{Message, Ranks};

/// Bytes on their way, by sender and receiver.
type Mail = HashMap<(usize, usize), Vec<u8>>;

pub struct ThreadRanks {
    rank: usize,
    size: usize,
    sums: Arc<Mutex<Vec<f64>>>,
    parts: Arc<Mutex<Vec<Vec<u8>>>>,
    mail: Arc<Mutex<Mail>>,
    barrier: Arc<Barrier>,
}

/// What each of `size` ranks makes of `work`, in rank order.
pub fn on_ranks<T: Send>(size: usize, work: impl Fn(&ThreadRanks) -> T + Sync) -> Vec<T> {
    let (sums, parts, mail, barrier) = (Arc::default(), Arc::default(), Arc::default(), Arc::new(Barrier::new(size)));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..size)
            .map(|rank| {
                let ranks = ThreadRanks {
                    rank,
                    size,
                    sums: Arc::clone(&sums),
                    parts: Arc::clone(&parts),
                    mail: Arc::clone(&mail),
                    barrier: barrier.clone(),
                };
                let work = &work;
                scope.spawn(move || work(&ranks))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

impl Ranks for ThreadRanks {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.size
    }
    fn node_rank(&self) -> usize {
        self.rank
    }
    fn sum(&self, values: &mut [f64]) {
        for rank in 0..self.size {
            if rank == self.rank {
                let mut sums = self.sums.lock().unwrap();
                sums.resize(values.len(), 0.0);
                sums.iter_mut().zip(values.iter()).for_each(|(sum, value)| *sum += value);
            }
            self.barrier.wait();
        }
        values.copy_from_slice(&self.sums.lock().unwrap());
        self.barrier.wait();
        self.sums.lock().unwrap().clear();
        self.barrier.wait();
    }
    fn mean(&self, values: &mut [f32]) {
        let mut wide: Vec<f64> = values.iter().map(|&value| f64::from(value) / self.size as f64).collect();
        self.sum(&mut wide);
        values.iter_mut().zip(wide).for_each(|(value, mean)| *value = mean as f32);
    }
    fn broadcast(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.all_gather(bytes)[0]);
    }
    fn all_gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut parts = self.parts.lock().unwrap();
        parts.resize(self.size, Vec::new());
        parts[self.rank] = bytes.to_vec();
        drop(parts);
        self.barrier.wait();
        let all = self.parts.lock().unwrap().clone();
        self.barrier.wait();
        all
    }
    fn exchange(&self, outgoing: &[Message], incoming: &mut [Message], meanwhile: &mut dyn FnMut()) {
        for message in outgoing {
            self.mail.lock().unwrap().insert((self.rank, message.rank), message.bytes.clone());
        }
        meanwhile();
        self.barrier.wait();
        for message in incoming {
            let bytes = self.mail.lock().unwrap().remove(&(message.rank, self.rank)).expect("a message was awaited");
            assert_eq!(bytes.len(), message.bytes.len(), "sender and receiver disagree on a length");
            message.bytes = bytes;
        }
        self.barrier.wait();
        assert!(self.mail.lock().unwrap().is_empty(), "a message was not awaited");
        self.barrier.wait();
    }
    fn barrier(&self) {
        self.barrier.wait();
    }
    fn abort(&self, message: &str) -> ! {
        panic!("{message}")
    }
}
