//! Converts comments to Markdown, and reads the links and headings of Markdown pages.

/// Looks up the link for a name in a comment.
pub type Target<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Converts a comment to paragraphs and lists.
pub fn prose(comment: &str, target: Target<'_>) -> String {
    let mut markdown = String::new();
    let mut was_item = false;
    for block in blocks(comment) {
        let item = block.strip_prefix("- ");
        let text = match item {
            Some(item) => format!("- {}", inline(item, target)),
            None => no_list(inline(&block, target)),
        };
        let between = if was_item && item.is_some() { "\n" } else { "\n\n" };
        markdown += if markdown.is_empty() { "" } else { between };
        markdown += &text;
        was_item = item.is_some();
    }
    markdown
}

/// Converts a comment to the content of a table cell.
pub fn cell(comment: &str, target: Target<'_>) -> String {
    let paragraphs: Vec<_> = blocks(comment)
        .iter()
        .map(|block| inline(block, target))
        .collect();
    // Ends no cell, not even in code.
    paragraphs.join("<br><br>").replace('|', "\\|")
}

/// Returns the first sentence of a comment.
pub fn first_sentence(comment: &str) -> String {
    let block = blocks(comment).into_iter().next().unwrap_or_default();
    match block.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => block,
    }
}

/// Returns the fragment that leads to a heading, by the rule of GitHub.
pub fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.flat_map(char::to_lowercase)
        .collect::<String>()
        .replace(' ', "-")
}

/// Returns the fragments that lead to the headings of a page.
pub fn anchors(page: &str) -> Vec<String> {
    // A line of a code block can begin with the sign of a heading.
    let text = page.split("```").step_by(2).flat_map(str::lines);
    text.filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// Returns the destinations of the links of a page.
pub fn links(page: &str) -> impl Iterator<Item = &str> {
    let after = page.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
}

/// Splits a comment into paragraphs and list items, each on one line.
fn blocks(comment: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in comment.lines().map(str::trim) {
        match blocks.last_mut() {
            Some(block) if is_open && !line.is_empty() && !line.starts_with("- ") => {
                *block += " ";
                *block += line;
            }
            _ if line.is_empty() => {}
            _ => blocks.push(line.to_owned()),
        }
        is_open = !line.is_empty();
    }
    blocks
}

/// Escapes text, and links the names in it. Code between backticks is not escaped.
fn inline(text: &str, target: Target<'_>) -> String {
    assert!(
        text.matches('`').count().is_multiple_of(2),
        "a backtick is missing: {text}"
    );
    let parts = text.split('`').enumerate();
    let converted = parts.map(|(index, part)| match index % 2 {
        0 => part
            .split_inclusive(' ')
            .map(|word| linked(word, target))
            .collect(),
        _ => link(&format!("`{part}`"), target(part)),
    });
    converted.collect()
}

/// Escapes a word of text. Links it if it is a name of several words, such as `ListThreads`: `Search` is no name in
/// "Search text".
fn linked(word: &str, target: Target<'_>) -> String {
    let name = word.trim_matches(|char: char| !char.is_alphanumeric());
    let is_name = name.starts_with("docs/") || name.chars().filter(|char| char.is_uppercase()).count() > 1;
    let link_to = if is_name { target(name) } else { None };
    match word.split_once(name) {
        Some((before, after)) if link_to.is_some() => {
            escape(before) + &link(&escape(name), link_to) + &escape(after)
        }
        _ => escape(word),
    }
}

fn link(text: &str, target: Option<String>) -> String {
    match target {
        Some(target) => format!("[{text}]({target})"),
        None => text.to_owned(),
    }
}

/// Escapes the characters that the Markdown of GitHub interprets within a paragraph.
fn escape(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_word = |index: Option<usize>| {
        let char = index.and_then(|index| chars.get(index));
        char.is_some_and(|char| char.is_alphanumeric())
    };
    let mut escaped = String::with_capacity(text.len());
    for (index, char) in chars.iter().enumerate() {
        let is_markup = match char {
            // An underscore within a word has no meaning.
            '_' => !(is_word(index.checked_sub(1)) && is_word(Some(index + 1))),
            char => "\\*[]<>#+~$&".contains(*char),
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(*char);
    }
    escaped
}

/// Escapes a number that would begin a list.
fn no_list(paragraph: String) -> String {
    let rest = paragraph.trim_start_matches(|char: char| char.is_ascii_digit());
    let digits = paragraph.len() - rest.len();
    if digits > 0 && rest.starts_with(['.', ')']) {
        return format!("{}\\{rest}", &paragraph[..digits]);
    }
    paragraph
}
