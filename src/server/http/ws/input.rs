//! Input on its way to the terminals, a queue for each session.
//!
//! A program that does not read must not stop the connection from reading: the
//! acks and keys of the other sessions come on the same socket. So each
//! session's input waits in a queue of its own, bounded in bytes; only when
//! that is full does the client itself have to wait.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::super::terminal::input_error;
use super::messages::ServerMessage;
use super::outgoing::Order;
use crate::model::id::SessionId;
use crate::server::session::Session;

/// Bytes of input that may wait for one session.
const QUEUE_BYTES: usize = 1024 * 1024;

/// A person's input may wait as long as the program likes, as at any terminal.
const PATIENCE: Duration = Duration::from_secs(365 * 24 * 3600);

/// One piece of input.
#[derive(Debug)]
pub struct Input {
    /// What to write.
    pub bytes: Bytes,
    /// The client's number for it, to be acknowledged.
    pub sequence: Option<u64>,
}

/// The queues of one connection.
#[derive(Debug)]
pub struct Inputs {
    queues: HashMap<SessionId, Queue>,
    tasks: JoinSet<()>,
    orders: mpsc::Sender<Order>,
}

#[derive(Debug)]
struct Queue {
    sender: mpsc::UnboundedSender<(Input, tokio::sync::OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

impl Inputs {
    /// No queues yet.
    #[must_use]
    pub fn new(orders: mpsc::Sender<Order>) -> Self {
        Self { queues: HashMap::new(), tasks: JoinSet::new(), orders }
    }

    /// Drops the queues of sessions that are not to be kept.
    pub fn retain(&mut self, keep: impl Fn(SessionId) -> bool) {
        self.queues.retain(|id, _| keep(*id));
    }

    /// Puts input into the session's queue, waiting for room.
    pub async fn push(&mut self, session: &Arc<Session>, input: Input) {
        let id = session.id();
        let (tasks, orders) = (&mut self.tasks, &self.orders);
        let queue = self.queues.entry(id).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tasks.spawn(write(Arc::downgrade(session), receiver, orders.clone()));
            Queue { sender, room: Arc::new(Semaphore::new(QUEUE_BYTES)) }
        });
        let size = u32::try_from(input.bytes.len().clamp(1, QUEUE_BYTES)).unwrap_or(1);
        if let Ok(permit) = Arc::clone(&queue.room).acquire_many_owned(size).await {
            // Fails only when the writing task is gone, and the connection with it.
            let _ = queue.sender.send((input, permit));
        }
    }
}

async fn write(
    session: Weak<Session>,
    mut queue: mpsc::UnboundedReceiver<(Input, tokio::sync::OwnedSemaphorePermit)>,
    orders: mpsc::Sender<Order>,
) {
    while let Some((input, _room)) = queue.recv().await {
        // Between two pieces a session that is destroyed may go.
        let Some(session) = session.upgrade() else { return };
        let id = session.id();
        let message = match session.write_input(&input.bytes, PATIENCE).await {
            Ok(()) => {
                let Some(sequence) = input.sequence else { continue };
                ServerMessage::InputAck { session_id: id, sequence }
            }
            Err(error) => {
                let error = input_error(error, input.bytes.len());
                ServerMessage::Error { message: error.message(), code: error.code(), session_id: Some(id.to_string()) }
            }
        };
        if orders.send(Order::Say(message)).await.is_err() {
            return;
        }
    }
}
