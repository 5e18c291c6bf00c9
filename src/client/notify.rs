//! `quarterdeck notify`, from inside a session.

use serde_json::json;

use super::api::Api;
use super::failure::Failure;
use super::socket::Sockets;
use crate::cli::client::{NotifyArgs, StatusWord};
use crate::exit::Exit;
use crate::model::attention::{NOTIFY_SOCKET, NOTIFY_TOKEN};

/// Says what this session needs of people.
pub async fn notify(args: &NotifyArgs) -> Result<Exit, Failure> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(socket), Some(token)) = (variable(NOTIFY_SOCKET), variable(NOTIFY_TOKEN)) else {
        let failure =
            Failure::new(format!("not inside a session: {NOTIFY_SOCKET} and {NOTIFY_TOKEN} are not both set"));
        return Err(failure.suggest("run it in a session, with the session's environment"));
    };
    let api = Api { sockets: Sockets(vec![socket.into()]), bearer: Some(token) };
    let status = args.status.map(|word| match word {
        StatusWord::Active => "active",
        StatusWord::Waiting => "waiting",
    });
    api.post("/notify", &json!({ "needsInput": args.needs_input, "status": status })).await?;
    Ok(Exit::Success)
}
