//! How many connections there may be at each listening socket, within the
//! descriptors that this process may open: no client may use up those that
//! sessions need.

use bytesize::ByteSize;

use crate::model::settings::{LimitSettings, Settings};

/// Descriptors for all that is neither a connection nor a session.
const OWN: usize = 64;

/// Descriptors for one session: its ring, its terminal, its recording and what
/// is read in /proc for it.
const PER_SESSION: usize = 8;

/// Most connections at the Unix socket of client commands, and at the one for
/// what sessions say of themselves.
const UNIX: usize = 128;
const NOTIFY: usize = 64;

/// Fewest connections at any of them, however few descriptors there are.
const LEAST: usize = 4;

/// Connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// At the API's address.
    pub tcp: usize,
    /// At the Unix socket of client commands.
    pub unix: usize,
    /// At the Unix socket for what sessions say of themselves.
    pub notify: usize,
}

impl Room {
    /// What the settings and this process's limits leave.
    pub fn of(settings: &Settings) -> Self {
        let descriptors = crate::sys::service::descriptor_limit().soft();
        let room = Self::within(settings.limits, settings.max_sessions, descriptors);
        let wanted = usize::try_from(settings.limits.connections).unwrap_or(usize::MAX);
        if room.tcp < wanted {
            tracing::warn!(
                maxConnections = room.tcp,
                descriptorLimit = descriptors,
                "Only {} connections are possible instead of --max-connections {wanted}: this process may open {} files; \
                 raise that limit (ulimit -n, docker run --ulimit nofile=...)",
                room.tcp,
                descriptors.unwrap_or_default(),
            );
        }
        room
    }

    fn within(limits: LimitSettings, sessions: u32, descriptors: Option<u64>) -> Self {
        let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let tcp = number(limits.connections);
        let Some(descriptors) = descriptors else { return Self { tcp, unix: UNIX, notify: NOTIFY } };
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let free = descriptors.saturating_sub(OWN + number(sessions).saturating_mul(PER_SESSION));
        let part = |most: usize, of: usize| most.min(free / of).max(LEAST);
        let (unix, notify) = (part(UNIX, 6), part(NOTIFY, 12));
        Self { tcp: tcp.min(free.saturating_sub(unix + notify)).max(LEAST), unix, notify }
    }
}

/// Rings above this part of the memory limit are worth a word.
const RINGS_PART: u64 = 2;

/// Warns if the output that may be kept would leave little memory for what
/// sessions run: it is memory that the kernel can't take back.
pub fn warn_of_rings(settings: &Settings, memory_limit: u64) {
    let (rings, sessions) = (settings.rings_max, settings.max_sessions);
    if rings > memory_limit / RINGS_PART {
        tracing::warn!(
            maxSessions = sessions,
            ringBytes = rings,
            memoryLimitBytes = memory_limit,
            "The kept output of {sessions} sessions may take {} of the {} that may be used; \
             lower --scrollback or --max-sessions, or allow more memory",
            ByteSize::b(rings),
            ByteSize::b(memory_limit),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LimitSettings =
        LimitSettings { connections: 512, connections_per_client: 256, requests_per_second: 1000 };

    #[test]
    fn all_of_them_and_the_sessions_fit_the_descriptors() {
        assert_eq!(Room::within(LIMITS, 4, None), Room { tcp: 512, unix: 128, notify: 64 });
        assert_eq!(Room::within(LIMITS, 4, Some(1024)), Room { tcp: 512, unix: 128, notify: 64 });
        for descriptors in [256, 400, 1024, 4096, 1 << 20] {
            for sessions in [1, 4, 20] {
                let Room { tcp, unix, notify } = Room::within(LIMITS, sessions, Some(descriptors));
                let all = tcp + unix + notify + OWN + sessions as usize * PER_SESSION;
                assert!(all as u64 <= descriptors, "{tcp} {unix} {notify} of {descriptors} with {sessions}");
            }
        }
        assert_eq!(Room::within(LIMITS, 1024, Some(1024)), Room { tcp: LEAST, unix: LEAST, notify: LEAST });
    }
}
