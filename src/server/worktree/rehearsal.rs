//! Steps at which a test can stop the server, to kill it there. Not in release
//! builds.

/// The step at which this server is to stop, if any.
#[derive(Debug)]
pub struct Rehearsal {
    stop_at: Option<String>,
}

impl Rehearsal {
    /// Only the first server stops: the next one is to show what it makes of it.
    pub fn of_server(restarts: u32) -> Self {
        let is_wanted = cfg!(debug_assertions) && restarts == 0;
        Self { stop_at: is_wanted.then(|| std::env::var("QUARTERDECK_TEST_PAUSE").ok()).flatten() }
    }

    /// Marks a step: the request that comes to the one named goes no further.
    pub async fn step(&self, name: &str) {
        if self.stop_at.as_deref() == Some(name) {
            tracing::warn!(step = name, "Stopped for a test");
            std::future::pending::<()>().await;
        }
    }
}
