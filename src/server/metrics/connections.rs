//! What becomes of connections, counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Counter;

/// A socket that clients connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The address of the API.
    Tcp,
    /// The Unix socket of client commands.
    Unix,
    /// The Unix socket for what sessions say of themselves.
    Notify,
}

impl Gate {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Unix, Self::Notify];

    /// The name as metrics show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Notify => "notify",
        }
    }
}

/// Why a connection was turned away before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There are as many connections as may be.
    Total,
    /// Its client has as many as one may have.
    Peer,
}

impl Full {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Total, Self::Peer];

    /// The name as metrics show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Peer => "client",
        }
    }
}

/// Why the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The head of a request did not come in time.
    SlowHead,
    /// The body of a request did not come in time.
    SlowBody,
    /// Nothing was asked for long.
    Idle,
    /// The client did not take what it asked for.
    Unread,
    /// A WebSocket's client showed no life.
    Silent,
    /// Its place was needed for another.
    Evicted,
    /// What came is no HTTP, or its head is far too large.
    Malformed,
}

impl Cut {
    /// All there are.
    pub const ALL: [Self; 7] =
        [Self::SlowHead, Self::SlowBody, Self::Idle, Self::Unread, Self::Silent, Self::Evicted, Self::Malformed];

    /// The name as metrics show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::Idle => "idle",
            Self::Unread => "unread",
            Self::Silent => "silent",
            Self::Evicted => "evicted",
            Self::Malformed => "malformed",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct Connections {
    open: [AtomicUsize; Gate::ALL.len()],
    most: [AtomicUsize; Gate::ALL.len()],
    refused: [Counter; Full::ALL.len()],
    cut: [Counter; Cut::ALL.len()],
    /// Times that a client was read more slowly than it sends.
    pub throttled: Counter,
}

impl Connections {
    /// How many there may be at a gate.
    pub fn allow(&self, gate: Gate, most: usize) {
        self.most[gate as usize].store(most, Ordering::Relaxed);
    }

    /// One more is open.
    pub fn opened(&self, gate: Gate) {
        self.open[gate as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One is open no longer.
    pub fn closed(&self, gate: Gate) {
        self.open[gate as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// One was turned away.
    pub fn refuse(&self, why: Full) {
        self.refused[why as usize].add(1);
    }

    /// One was ended by the server.
    pub fn cut(&self, why: Cut) {
        self.cut[why as usize].add(1);
    }

    /// How many are open at a gate.
    #[must_use]
    pub fn open_at(&self, gate: Gate) -> usize {
        self.open[gate as usize].load(Ordering::Relaxed)
    }

    /// How many may be open at a gate.
    #[must_use]
    pub fn most_at(&self, gate: Gate) -> usize {
        self.most[gate as usize].load(Ordering::Relaxed)
    }

    /// How many were turned away for this reason.
    #[must_use]
    pub fn refused_for(&self, why: Full) -> u64 {
        self.refused[why as usize].get()
    }

    /// How many were ended for this reason.
    #[must_use]
    pub fn cut_for(&self, why: Cut) -> u64 {
        self.cut[why as usize].get()
    }
}
