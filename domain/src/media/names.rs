//! File names of photos.

use crate::{Violation, is_plain};

/// The maximum length of a file name, in characters.
const NAME_MAX: usize = 255;

/// Checks a file name from a caller. Returns the violation, if any.
pub(super) fn check_name(field: &str, file_name: &str) -> Option<Violation> {
    (file_name.chars().count() > NAME_MAX || !is_plain(file_name)).then(|| {
        let text = format!("must have at most {NAME_MAX} characters, none of them a control character");
        Violation::new(field, text)
    })
}

/// Returns the name without its folders, separated by `/` or `\`, and without bidirectional controls, with which
/// `gpj.exe` could look like `exe.jpg`.
pub(super) fn base_name(file_name: &str) -> String {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = name.chars().filter(|c| !is_bidi_control(*c)).collect();
    plain.trim().to_owned()
}

/// Whether a character is a bidirectional control: a mark, embedding, override or isolate (Unicode Annex 9, section 2).
fn is_bidi_control(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_name_loses_folders_and_bidirectional_controls() {
        let controls = [
            '\u{061c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
            '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
        ];
        for control in controls {
            let sent = format!("a/{control} photo{control}gpj.exe {control}");
            assert_eq!(base_name(&sent), "photogpj.exe", "{control:?}");
        }
        assert_eq!(base_name("C:\\photos\\été שלום.jpg"), "été שלום.jpg");
    }
}
