//! File names of photos.

use vintedbot_marketplace::text;

use crate::{Violation, is_plain};

/// The maximum length of a file name, in characters.
const NAME_MAX: usize = 255;

/// Checks a file name from a caller. Returns the violation, if any.
pub(super) fn check_name(field: &str, file_name: &str) -> Option<Violation> {
    let name = text::normalize_name(file_name);
    (text::length(&name) > NAME_MAX || !is_plain(&name)).then(|| {
        let text = format!("must have at most {NAME_MAX} characters, none of them a control character");
        Violation::new(field, text)
    })
}

/// Returns the name in the common form of names, without its folders, separated by `/` or `\`.
pub(super) fn base_name(file_name: &str) -> String {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    text::normalize_name(name).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_name_loses_folders_and_bidirectional_controls() {
        for (sent, expected) in [
            ("a/\u{202e} photo\u{202e}gpj.exe \u{202c}", "photogpj.exe"),
            ("\u{feff}e\u{301}te\u{301}\t1.jpg", "été 1.jpg"),
            ("C:\\photos\\été שלום.jpg", "été שלום.jpg"),
        ] {
            assert_eq!(base_name(sent), expected, "{sent:?}");
        }
    }

    #[test]
    fn file_name_with_a_control_character_is_refused() {
        let flags = "\u{1f1eb}\u{1f1f7}".repeat(NAME_MAX);
        for good in ["", "a\tb.jpg", &flags] {
            assert!(check_name("file_name", good).is_none(), "{good:?}");
        }
        for bad in ["a\nb.jpg", "a\0.jpg", &"x".repeat(NAME_MAX + 1)] {
            assert!(check_name("file_name", bad).is_some(), "{bad:?}");
        }
    }
}
