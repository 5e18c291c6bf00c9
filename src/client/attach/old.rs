//! What must not happen again when old output is shown.
//!
//! A terminal that is shown an old question answers it, and the answer would
//! be typed into the program, which did not ask now. Answers can't be told
//! from keys for sure, and come late; so the questions themselves are left
//! out. So is what would ring, notify, fill the clipboard, print or move the
//! window a second time.

use super::vt::{Sequence, numbers};

/// Whether an old sequence must not reach the terminal.
pub fn is_spent(bytes: &[u8]) -> bool {
    match Sequence::parse(bytes) {
        Sequence::Csi { private, params, intermediate, action } => csi(private, params, intermediate, action),
        Sequence::Osc { number, rest } => osc(number, rest),
        // Termcap and settings asked for, tmux's way through; sixels may pass.
        Sequence::Text { kind: b'P', body } => {
            body.starts_with(b"+q") || body.starts_with(b"$q") || body.starts_with(b"tmux;")
        }
        // kitty's images are acknowledged, and the others show nothing.
        Sequence::Text { .. } => true,
        Sequence::Escape(rest) => rest == b"Z",
    }
}

/// Whether an old byte outside of sequences must not reach the terminal.
pub fn is_spent_byte(byte: u8) -> bool {
    const ENQ: u8 = 5;
    const BEL: u8 = 7;
    matches!(byte, ENQ | BEL)
}

fn csi(private: u8, params: &str, intermediate: u8, action: u8) -> bool {
    match (private, intermediate, action) {
        // Device attributes, status reports, terminal parameters; media copy.
        (_, 0, b'c') | (0 | b'?', 0, b'n') | (0, 0, b'x') | (_, 0, b'i') => true,
        // Window: all but the stack of titles.
        (0, 0, b't') => !matches!(numbers(params).next(), Some(22 | 23)),
        // Version, kitty's keyboard, modes of keys, graphics limits.
        (b'>', 0, b'q') | (b'?', 0, b'u' | b'm' | b'S') => true,
        // Modes, presentation and terminal state, checksums, displayed extent.
        (_, b'$', b'p' | b'w' | b'u') | (_, b'*', b'y') | (_, b'"', b'v') => true,
        // Locator.
        (_, b'\'', b'|') => true,
        _ => false,
    }
}

fn osc(number: Option<u16>, rest: &[u8]) -> bool {
    match number {
        // Notifications and progress, the clipboard, iTerm's own.
        Some(9 | 52 | 99 | 777 | 1337) => true,
        // Colours and fonts, asked for with a question mark for a value.
        Some(_) => rest.split(|byte| *byte == b';').any(|value| value == b"?"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_deeds_are_left_out() {
        for sequence in [
            "\x1b[c",
            "\x1b[0c",
            "\x1b[>c",
            "\x1b[=c",
            "\x1b[6n",
            "\x1b[5n",
            "\x1b[?6n",
            "\x1b[?996n",
            "\x1b[?2026$p",
            "\x1b[4$p",
            "\x1b[>q",
            "\x1b[>0q",
            "\x1b[?u",
            "\x1b[?4m",
            "\x1b[14t",
            "\x1b[18t",
            "\x1b[8;50;132t",
            "\x1b[x",
            "\x1b[4i",
            "\x1bZ",
            "\x1b]11;?\x07",
            "\x1b]4;1;?\x1b\\",
            "\x1b]52;c;aGk=\x07",
            "\x1b]9;done\x07",
            "\x1b]777;notify;a;b\x07",
            "\x1b]99;;hi\x1b\\",
            "\x1bP+q544e\x1b\\",
            "\x1bP$qm\x1b\\",
            "\x1b_Ga=q;\x1b\\",
        ] {
            assert!(is_spent(sequence.as_bytes()), "{sequence:?}");
        }
    }

    #[test]
    fn what_makes_the_screen_stays() {
        for sequence in [
            "\x1b[m",
            "\x1b[1;31m",
            "\x1b[H",
            "\x1b[2J",
            "\x1b[?1049h",
            "\x1b[?25l",
            "\x1b[5;20r",
            "\x1b[22;0t",
            "\x1b[23t",
            "\x1b[>1u",
            "\x1b[<u",
            "\x1b[>4;2m",
            "\x1b[2 q",
            "\x1b[!p",
            "\x1b[u",
            "\x1b[3S",
            "\x1b[>4n",
            "\x1b]0;what?\x07",
            "\x1b]8;;http://x/?a\x1b\\",
            "\x1b]11;#000000\x07",
            "\x1b(0",
            "\x1b7",
            "\x1bc",
            "\x1bPq#0;2;0;0;0~-\x1b\\",
        ] {
            assert!(!is_spent(sequence.as_bytes()), "{sequence:?}");
        }
    }
}
