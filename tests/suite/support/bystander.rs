//! Somebody who minds their own business while others misbehave.

use serde_json::json;

use super::client::{Client, Form};
use super::http::Api;
use super::payload::shell;
use super::quarterdeck::Quarterdeck;
use super::{eventually, payload};

/// A user with a session that echoes, there before and after the misdeed.
pub struct Bystander<'q> {
    quarterdeck: &'q Quarterdeck,
    api: Api,
    client: Client,
    id: String,
    typed: String,
    before: (usize, usize),
    server: i32,
}

impl<'q> Bystander<'q> {
    /// Opens the session, tries it, and counts descriptors.
    pub fn of(quarterdeck: &'q Quarterdeck) -> Self {
        let api = quarterdeck.api();
        let echo = shell("stty raw -echo; exec cat");
        let id = super::http::id_of(&api.create(&json!({ "command": echo, "name": "bystander" })));
        let mut client = quarterdeck.connect(Form::Binary);
        client.attach(&id);
        // Typed bytes are echoed by the terminal itself until it is raw.
        wait_until_raw(quarterdeck.leader(&id));
        let mut bystander = Self { quarterdeck, api, client, id, typed: String::new(), before: (0, 0), server: 0 };
        bystander.exchange();
        bystander.before = quarterdeck.settled_descriptor_counts(1);
        bystander.server = quarterdeck.server();
        bystander
    }

    /// Types a line and waits until it comes back.
    pub fn exchange(&mut self) {
        let line = format!("line {} of the bystander\n", self.typed.len());
        self.client.input(&self.id, &line);
        self.typed += &line;
        let (id, wanted) = (self.id.clone(), self.typed.len());
        self.client.wait_until("the bystander's line came back", |view| view.bytes(&id).len() >= wanted);
    }

    /// Goes while the misdeed goes on: nothing was lost.
    #[track_caller]
    pub fn leave(mut self) {
        self.exchange();
        payload::assert_same(&self.client.view.terminal(&self.id).bytes, self.typed.as_bytes());
        assert_eq!(self.quarterdeck.server(), self.server, "the server was started again");
        self.client.close();
        self.api.remove(&self.id);
    }

    /// Asserts that nothing was lost, nobody was disturbed and no descriptor
    /// leaked, in init or in the server, and that the server is still the same.
    #[track_caller]
    pub fn check(mut self) {
        self.exchange();
        let terminal = self.client.view.terminal(&self.id);
        payload::assert_same(&terminal.bytes, self.typed.as_bytes());
        assert_eq!((terminal.gaps.len(), terminal.exits.len()), (0, 0));
        assert_eq!(self.quarterdeck.server(), self.server, "the server was started again");
        self.quarterdeck.wait_for_descriptor_counts(self.before);
        self.client.close();
        self.api.remove(&self.id);
    }
}

/// Waits until a session's terminal is raw, by its program's own terminal.
fn wait_until_raw(pid: i32) {
    eventually("cat runs on a raw terminal", || {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (name.trim() == "cat").then_some(())
    });
}
