//! Commands that take several names.

use super::api::Answer;
use super::failure::Failure;
use super::output;
use crate::exit::Exit;

/// Asks for each in turn and prints the answers if they are wanted as JSON. One
/// that fails is complained of, and the others still get their turn.
///
/// # Errors
/// The answers can't be printed.
pub async fn each(
    names: &[String],
    is_json: bool,
    ask: impl AsyncFn(&str) -> Result<Answer, Failure>,
) -> Result<Exit, Failure> {
    let mut outcome = Exit::Success;
    for name in names {
        match ask(name).await {
            Ok(answer) if is_json => output::print_json(&answer.body)?,
            Ok(_) => {}
            Err(failure) => {
                output::complain(&failure);
                outcome = Exit::Failure;
            }
        }
    }
    Ok(outcome)
}
