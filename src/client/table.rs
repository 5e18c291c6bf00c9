//! Tables for a person: columns that line up, lines that fit the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells between two columns.
const GAP: usize = 2;

/// No column is made narrower than this, or its title.
const NARROWEST: usize = 8;

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Where its text stands.
    pub side: Side,
    /// Whether it may be shortened to make the line fit.
    pub shrinks: bool,
}

/// A cell, with the colour of its text (an SGR parameter) where colours are.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    colour: Option<&'static str>,
}

impl Cell {
    /// Text from anywhere: what would move the cursor, or do worse, is shown
    /// instead of done.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: harmless(text), colour: None }
    }

    /// With a colour.
    #[must_use]
    pub fn coloured(mut self, colour: Option<&'static str>) -> Self {
        self.colour = colour;
        self
    }
}

/// Text in which every control character is spelt out.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // Besides controls: marks that turn the direction of text, which could
        // make a line read as another one.
        if c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// How a table is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Cells of a line; none: as many as it takes.
    pub width: Option<usize>,
    /// Whether colours are wanted.
    pub colours: bool,
}

/// The lines of a table, the titles first.
#[must_use]
pub fn lines(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> Vec<String> {
    let titles: Vec<Cell> = columns.iter().map(|column| Cell::new(column.title)).collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.width());
        }
    }
    if let Some(room) = look.width {
        shrink(columns, &mut widths, room);
    }
    let all = std::iter::once(&titles).chain(rows);
    let line = |row: &Vec<Cell>| {
        let line = line(columns, row, &widths, look.colours);
        look.width.map_or_else(|| line.clone(), |room| if look.colours { line.clone() } else { shorten(&line, room) })
    };
    all.map(line).collect()
}

/// Takes cells from the widest columns that may shrink, one at a time, until
/// the line fits or nothing can give way any more.
fn shrink(columns: &[Column], widths: &mut [usize], room: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > room {
        let least = |at: usize| columns[at].title.width().max(NARROWEST);
        let can_give = |at: &usize| columns[*at].shrinks && widths[*at] > least(*at);
        let Some(widest) = (0..widths.len()).filter(can_give).max_by_key(|at| widths[*at]) else { return };
        widths[widest] -= 1;
    }
}

fn line(columns: &[Column], row: &[Cell], widths: &[usize], colours: bool) -> String {
    let mut line = String::new();
    let last = columns.len().saturating_sub(1);
    for (at, ((column, cell), width)) in columns.iter().zip(row).zip(widths).enumerate() {
        let text = shorten(&cell.text, *width);
        let pad = " ".repeat(width.saturating_sub(text.width()));
        let text = match cell.colour.filter(|_| colours) {
            Some(colour) => format!("\x1b[{colour}m{text}\x1b[0m"),
            None => text,
        };
        match column.side {
            Side::Right => line.extend([pad.as_str(), &text]),
            // Nothing stands behind the last column, so nothing is filled up.
            Side::Left if at == last => line.push_str(&text),
            Side::Left => line.extend([text.as_str(), &pad]),
        }
        if at != last {
            line.push_str(&" ".repeat(GAP));
        }
    }
    line
}

/// The text in at most `width` cells, with an ellipsis where something is cut
/// off. A wide character is never halved.
#[must_use]
pub fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        let cells = c.width().unwrap_or(0);
        if used + cells + 1 > width {
            break;
        }
        used += cells;
        shown.push(c);
    }
    if width > 0 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { title: "NAME", side: Side::Left, shrinks: true },
        Column { title: "PID", side: Side::Right, shrinks: false },
        Column { title: "COMMAND", side: Side::Left, shrinks: true },
    ];

    fn row(cells: [&str; 3]) -> Vec<Cell> {
        cells.map(Cell::new).to_vec()
    }

    fn plain(width: Option<usize>) -> Look {
        Look { width, colours: false }
    }

    #[test]
    fn columns_line_up_by_what_a_terminal_shows() {
        let rows = [row(["日本", "7", "sh"]), row(["a", "12345", "bash -l"])];
        let expected = ["NAME    PID  COMMAND", "日本      7  sh", "a     12345  bash -l"];
        assert_eq!(lines(&COLUMNS, &rows, plain(None)), expected);
    }

    #[test]
    fn the_longest_column_gives_way_first() {
        let rows = [row(["short", "1", "a command that is much too long"])];
        assert_eq!(lines(&COLUMNS, &rows, plain(Some(26)))[1], "short    1  a command tha…");
    }

    #[test]
    fn controls_are_shown_and_not_done() {
        assert_eq!(harmless("a\x1b[2J\r\n\u{202e}b"), "a\\u{1b}[2J\\r\\n\\u{202e}b");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(name in ".{0,60}", command in ".{0,120}", width in 0usize..150) {
            for line in lines(&COLUMNS, &[row([&name, "1", &command])], plain(Some(width))) {
                prop_assert!(line.width() <= width, "{line:?}");
            }
        }

        #[test]
        fn shortening_cuts_only_what_does_not_fit(text in ".{0,40}", width in 0usize..50) {
            let text = harmless(&text);
            let short = shorten(&text, width);
            prop_assert!(short.width() <= width);
            prop_assert!(short == text || short.ends_with('…') || width == 0);
        }
    }
}
