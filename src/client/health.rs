//! `quarterdeck health`: for HEALTHCHECK, without curl in the image.

use std::time::Duration;

use super::api::Api;
use super::failure::Failure;
use super::output;
use crate::cli::client::HealthArgs;
use crate::exit::Exit;

/// How long a healthy server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server, and says "ok" or what is wrong.
pub async fn health(api: &Api, args: &HealthArgs) -> Result<Exit, Failure> {
    let path = if args.common.json { "/api/health" } else { "/health" };
    let answer = tokio::time::timeout(PATIENCE, api.get(path))
        .await
        .map_err(|_| Failure::new(format!("quarterdeck did not answer within {PATIENCE:?}")))??;
    if args.common.json {
        output::print_json(&answer.body)?;
        return Ok(Exit::Success);
    }
    if answer.json()?["status"] != "ok" {
        return Err(Failure::new(format!("not healthy: {}", String::from_utf8_lossy(&answer.body))));
    }
    output::print_lines(["ok"])?;
    Ok(Exit::Success)
}
