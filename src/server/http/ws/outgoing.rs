//! The writing half of a connection: control messages first, then output, one
//! frame of each session in turn, the quietest first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket, close_code};
use bytes::BytesMut;
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::Form;
use super::channel::{Channel, say};
use super::incoming::ack_beyond_sent;
use super::messages::ServerMessage;
use crate::model::id::SessionId;
use crate::model::resources::MemoryLevel;
use crate::model::sweep::Cleaned;
use crate::server::App;
use crate::server::auth::rights::Grant;
use crate::server::http::health::{refusal_of_new_sessions, resource_state};
use crate::server::http::sessions::{view, views};
use crate::server::registry::{Entry, Snapshot};
use crate::server::resource_view::{forecast_text, warning_text};
use crate::server::resources::monitor::{News, Warning};
use crate::server::view::{Status, cleaning_reason, exit_reason, last_activity};

/// Between two pings, so that a dead peer is noticed.
const PING_INTERVAL: Duration = Duration::from_secs(25);

/// How long the last output may take once the container ends.
const FAREWELL: Duration = Duration::from_millis(400);

/// What the reading half wants.
#[derive(Debug)]
pub enum Order {
    /// Serve this channel.
    Attach(Channel),
    /// Serve it no longer.
    Detach(u16),
    /// The client has processed everything below the offset.
    Ack(u16, u64),
    /// Tell the client.
    Say(ServerMessage),
    /// End the connection with this code.
    Close(CloseCode, &'static str),
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

/// The writing half.
pub struct Outgoing {
    app: App,
    grant: Grant,
    form: Form,
    sink: SplitSink<WebSocket, Message>,
    orders: mpsc::Receiver<Order>,
    wake: Arc<Notify>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    known: Arc<Snapshot>,
    news: broadcast::Receiver<Arc<News>>,
    channels: Vec<Channel>,
    buffer: BytesMut,
    pings: Interval,
}

impl Outgoing {
    /// A writer that follows the reader's orders.
    pub fn new(
        app: App,
        grant: Grant,
        form: Form,
        sink: SplitSink<WebSocket, Message>,
        orders: mpsc::Receiver<Order>,
        wake: Arc<Notify>,
    ) -> Self {
        let mut snapshots = app.registry.subscribe();
        let known = Arc::clone(&snapshots.borrow_and_update());
        let news = app.monitor.subscribe();
        let mut pings = tokio::time::interval_at((Instant::now() + PING_INTERVAL).into(), PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            app,
            grant,
            form,
            sink,
            orders,
            wake,
            snapshots,
            known,
            news,
            channels: Vec::new(),
            buffer: BytesMut::new(),
            pings,
        }
    }

    /// Writes until the client is gone or the container ends.
    pub async fn run(mut self) {
        // An error means that the socket is gone, and there is nobody to tell.
        let _ = self.serve().await;
        let _ = self.sink.close().await;
    }

    async fn serve(&mut self) -> Result<(), axum::Error> {
        self.greet().await?;
        loop {
            if self.take_orders().await? == Next::End {
                return Ok(());
            }
            self.tell_changes().await?;
            self.tell_news().await?;

            if self.known.goodbye {
                return self.farewell().await;
            }
            if self.send_round().await? {
                continue;
            }
            let now = Instant::now();
            self.channels.iter_mut().for_each(|channel| channel.want_wake(now));
            if !self.channels.iter().any(|channel| channel.is_ready(now)) && self.sleep().await? == Next::End {
                return Ok(());
            }
        }
    }

    async fn greet(&mut self) -> Result<(), axum::Error> {
        let list = ServerMessage::List { sessions: views(&self.known, &self.grant), generation: self.known.generation };
        self.say(&list).await?;
        self.say(&ServerMessage::Resources(Box::new(resource_state(&self.app)))).await?;

        if let Some(grace_ms) = self.known.shutting_down {
            self.say(&shutdown(grace_ms)).await?;
        }
        Ok(())
    }

    async fn say(&mut self, message: &ServerMessage) -> Result<(), axum::Error> {
        if let ServerMessage::Error { code, .. } = message {
            self.app.registry.metrics.refused(code);
        }
        self.send(say(message)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), axum::Error> {
        let bytes = match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => 0,
        };
        self.sink.send(message).await?;
        self.app.registry.metrics.sent_bytes.add(bytes as u64);
        Ok(())
    }

    async fn take_orders(&mut self) -> Result<Next, axum::Error> {
        while let Ok(order) = self.orders.try_recv() {
            if self.follow(order).await? == Next::End {
                return Ok(Next::End);
            }
        }
        Ok(Next::GoOn)
    }

    async fn follow(&mut self, order: Order) -> Result<Next, axum::Error> {
        match order {
            Order::Attach(channel) => {
                for message in channel.introduction() {
                    self.say(&message).await?;
                }
                self.channels.push(channel);
            }
            Order::Detach(number) => {
                if let Some(at) = self.channels.iter().position(|c| c.number == number) {
                    self.channels.swap_remove(at).detach();
                }
            }
            Order::Ack(number, offset) => {
                let channel = self.channels.iter_mut().find(|c| c.number == number);
                let complaint = channel.and_then(|c| (!c.ack(offset)).then(|| ack_beyond_sent(c)));
                if let Some(complaint) = complaint {
                    self.say(&complaint).await?;
                }
            }
            Order::Say(message) => self.say(&message).await?,
            Order::Close(code, reason) => {
                self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
                return Ok(Next::End);
            }
        }
        Ok(Next::GoOn)
    }

    /// One frame of each session that has something, the quietest first: three
    /// floods delay a key's echo by three frames at most. True if any was sent.
    async fn send_round(&mut self) -> Result<bool, axum::Error> {
        let now = Instant::now();
        let mut ready: Vec<(u64, usize)> = Vec::new();
        for (at, channel) in self.channels.iter().enumerate() {
            if channel.is_ready(now) {
                ready.push((channel.sendable(now), at));
            }
        }
        ready.sort_unstable();
        for (_, at) in &ready {
            let channel = &mut self.channels[*at];
            let messages = channel.next(self.form, &mut self.buffer, now).map_err(axum::Error::new)?;
            for message in messages {
                self.send(message).await?;
            }
            self.channels[*at].sent();
        }
        self.bury_the_spent(now).await?;
        Ok(!ready.is_empty())
    }

    /// Destroyed sessions whose last output is delivered.
    async fn bury_the_spent(&mut self, now: Instant) -> Result<(), axum::Error> {
        while let Some(at) = self.channels.iter().position(|c| c.is_spent(now)) {
            let channel = self.channels.swap_remove(at);
            let session_id = channel.session_id();
            channel.detach();
            self.say(&ServerMessage::Destroyed { session_id }).await?;
        }
        Ok(())
    }

    async fn sleep(&mut self) -> Result<Next, axum::Error> {
        let deadline = self.channels.iter().filter_map(Channel::deadline).min();
        let pause = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            order = self.orders.recv() => match order {
                Some(order) => return self.follow(order).await,
                None => return Ok(Next::End),
            },
            () = self.wake.notified() => {}
            changed = self.snapshots.changed() => if changed.is_err() { return Ok(Next::End) },
            news = self.news.recv() => if let Ok(news) = news { self.tell(&news).await? },
            () = pause => {}

            _ = self.pings.tick() => self.send(Message::Ping(bytes::Bytes::new())).await?,
        }
        Ok(Next::GoOn)
    }

    /// Tells what differs between the snapshot the client knows and today's.
    async fn tell_changes(&mut self) -> Result<(), axum::Error> {
        let now = Arc::clone(&self.snapshots.borrow_and_update());
        if now.generation == self.known.generation {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.known, Arc::clone(&now));
        let grant = self.grant.clone();
        for entry in now.sessions.iter().filter(|entry| grant.sees(entry.record.id)) {
            for message in self.changes_of(before.get(entry.record.id), entry) {
                self.say(&message).await?;
            }
        }
        let gone = before.sessions.iter().map(|e| e.record.id).filter(|id| now.get(*id).is_none());
        for session_id in gone.filter(|id| grant.sees(*id)) {
            self.destroyed(session_id).await?;
        }
        for (_, cleaned) in now.cleaned.iter().filter(|(generation, _)| *generation > before.generation) {
            if grant.sees_news_of(cleaned.session) {
                self.say(&cleaned_message(cleaned)).await?;
            }
        }
        if let (None, Some(grace_ms)) = (before.shutting_down, now.shutting_down) {
            self.say(&shutdown(grace_ms)).await?;
        }
        Ok(())
    }

    /// While a client is busy with output, news wait for the end of a round.
    async fn tell_news(&mut self) -> Result<(), axum::Error> {
        loop {
            match self.news.try_recv() {
                Ok(news) => self.tell(&news).await?,
                // Too slow for the oldest; the latest is what counts.
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return Ok(()),
            }
        }
    }

    async fn tell(&mut self, news: &News) -> Result<(), axum::Error> {
        let message = match news {
            News::Session(warning) if !self.grant.sees(warning.session) => return Ok(()),
            News::Level(warning) => level_message(&self.app, warning),
            News::Session(warning) => ServerMessage::SessionWarning {
                session_id: warning.session,
                message: "The kernel killed a process of this session: out of memory.".into(),
                severity: "warning",
            },
        };
        self.say(&message).await
    }

    fn changes_of(&self, before: Option<&Entry>, entry: &Entry) -> Vec<ServerMessage> {
        let Some(before) = before else { return vec![ServerMessage::Created { session: view(entry) }] };
        if Arc::ptr_eq(&before.record, &entry.record) {
            return Vec::new();
        }
        let (session_id, state) = (entry.record.id, &entry.record.state);
        let mut messages = vec![ServerMessage::Updated { session: view(entry) }];
        let status = Status::of(&entry.record);
        let (attention, attention_before) = (&state.attention, &before.record.state.attention);
        if status != Status::of(&before.record) || attention.is_stuck != attention_before.is_stuck {
            messages.push(ServerMessage::Status {
                session_id,
                status,
                last_activity: last_activity(&entry.record, &entry.session),
                is_stuck: attention.is_stuck,
                reason: state.last_exit.as_ref().filter(|_| status.is_ended()).map(exit_reason),
            });
        }
        if let Some(message) = attention.need.clone().filter(|_| attention.need != attention_before.need) {
            messages.push(ServerMessage::NeedsInput { session_id, message });
        }
        let is_attached = self.channels.iter().any(|c| c.session_id() == session_id);
        if is_attached && state.size != before.record.state.size {
            let (cols, rows) = (state.size.cols(), state.size.rows());
            messages.push(ServerMessage::Resized { session_id, cols, rows });
        }
        messages
    }

    /// A client that follows the session gets its last bytes and its exit
    /// before it hears that the session is gone.
    async fn destroyed(&mut self, session_id: SessionId) -> Result<(), axum::Error> {
        let now = Instant::now();
        let channel = self.channels.iter_mut().find(|c| c.session_id() == session_id);
        match channel {
            Some(channel) => {
                channel.doom(now);
                self.bury_the_spent(now).await
            }
            None => self.say(&ServerMessage::Destroyed { session_id }).await,
        }
    }

    /// The last bytes, then the close frame.
    async fn farewell(&mut self) -> Result<(), axum::Error> {
        let last = async {
            while self.send_round().await? {}
            Ok(())
        };
        if let Ok(sent) = tokio::time::timeout(FAREWELL, last).await {
            sent?;
        }
        let frame = CloseFrame { code: close_code::AWAY, reason: "the container ends".into() };
        self.send(Message::Close(Some(frame))).await
    }
}

fn level_message(app: &App, warning: &Warning) -> ServerMessage {
    ServerMessage::ResourceWarning {
        message: warning_text(warning),
        memory_usage_percent: warning.percent,
        // Memory is not all that a new session needs.
        is_accepting_new_sessions: warning.level < MemoryLevel::Critical && refusal_of_new_sessions(app).is_none(),
        memory_level: warning.level,
        details: forecast_text(warning),
    }
}

fn cleaned_message(cleaned: &Cleaned) -> ServerMessage {
    ServerMessage::Cleaned {
        pid: cleaned.pid,
        session_id: cleaned.session,
        command: cleaned.command.clone(),
        reason: cleaning_reason(cleaned.reason),
    }
}

fn shutdown(grace_period_ms: u64) -> ServerMessage {
    ServerMessage::Shutdown { message: "The container is shutting down".into(), grace_period_ms }
}
