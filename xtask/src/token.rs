//! Rust source as a flat list of tokens with line numbers.
//!
//! Comments and documentation are left out, and so is everything under `#[cfg(test)]`, so that a rule about code
//! is not met by a sentence about the rule. Macros are not expanded: what stands in them counts as it stands.
//!
//! Used by `source` for every check that looks at code.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};

/// A word, a literal, a punctuation character or a bracket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// As it is written.
    pub(crate) text: String,
    /// The line it begins on, counted from one.
    pub(crate) line: usize,
    /// The line it ends on.
    pub(crate) end_line: usize,
}

/// Reads the tokens of a source file.
pub(crate) fn read(text: &str) -> Result<Vec<Token>> {
    let stream: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
        let LineColumn { line, column } = error.span().start();
        anyhow!("line {line}, column {column}: {error}")
    })?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Ok(tokens)
}

/// The index of each place where `pattern` stands, token by token.
pub(crate) fn places<'a>(tokens: &'a [Token], pattern: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    let matches = move |window: &[Token]| window.iter().zip(pattern).all(|(token, text)| token.text == *text);
    tokens
        .windows(pattern.len())
        .enumerate()
        .filter(move |(_, window)| matches(window))
        .map(|(index, _)| index)
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut index = 0;
    while index < trees.len() {
        match attribute(&trees[index..]) {
            Some((Attribute::Documentation, length)) => index += length,
            Some((Attribute::TestOnly, length)) => index += length + item_length(&trees[index + length..]),
            _ => {
                push(&trees[index], tokens);
                index += 1;
            }
        }
    }
}

fn push(tree: &TokenTree, tokens: &mut Vec<Token>) {
    let TokenTree::Group(group) = tree else {
        let span = tree.span();
        tokens.push(Token { text: tree.to_string(), line: span.start().line, end_line: span.end().line });
        return;
    };
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    let bracket = |text: &str, line| Token { text: text.to_owned(), line, end_line: line };
    tokens.push(bracket(open, group.span_open().start().line));
    flatten(group.stream(), tokens);
    tokens.push(bracket(close, group.span_close().end().line));
}

enum Attribute {
    Documentation,
    TestOnly,
    Other,
}

/// The attribute that `trees` begins with, and its length in trees.
fn attribute(trees: &[TokenTree]) -> Option<(Attribute, usize)> {
    let is =
        |tree: Option<&TokenTree>, wanted| matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == wanted);
    if !is(trees.first(), '#') {
        return None;
    }
    let at = if is(trees.get(1), '!') { 2 } else { 1 };
    let Some(TokenTree::Group(group)) = trees.get(at) else { return None };
    let words: Vec<String> = words(group.stream());
    let has = |word: &str| words.iter().any(|other| other == word);
    let kind = match words.first().map(String::as_str) {
        Some("doc") => Attribute::Documentation,
        Some("cfg") if has("test") && !has("not") && !has("any") => Attribute::TestOnly,
        _ => Attribute::Other,
    };
    Some((kind, at + 1))
}

fn words(stream: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for tree in stream {
        match tree {
            TokenTree::Ident(word) => found.push(word.to_string()),
            TokenTree::Group(group) => found.extend(words(group.stream())),
            _ => {}
        }
    }
    found
}

/// How many trees the item that `trees` begins with has: to its body or its semicolon.
fn item_length(trees: &[TokenTree]) -> usize {
    let ends = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    trees.iter().position(ends).map_or(trees.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        read(source).unwrap().into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_documentation_are_no_code() {
        assert_eq!(texts("//! unsafe\n/// unsafe\n// unsafe\n/* unsafe */ struct A;"), ["struct", "A", ";"]);
    }

    #[test]
    fn strings_are_one_token() {
        assert_eq!(texts("const A: &str = \"unsafe { }\";")[6], "\"unsafe { }\"");
    }

    #[test]
    fn what_only_tests_contain_is_left_out() {
        let source =
            "fn a() {} #[cfg(test)] #[path = \"x\"] mod tests { fn b() {} } #[cfg(test)] use c; fn d() {}";
        let texts = texts(source);
        assert!(texts.contains(&"a".to_owned()) && texts.contains(&"d".to_owned()));
        assert!(!texts.contains(&"b".to_owned()) && !texts.contains(&"c".to_owned()));
    }

    #[test]
    fn code_that_tests_leave_out_is_kept() {
        assert!(texts("#[cfg(not(test))] fn a() {}").contains(&"a".to_owned()));
    }

    #[test]
    fn tokens_know_their_lines() {
        let tokens = read("fn a() {\n    \"x\ny\";\n}\n").unwrap();
        let literal = tokens.iter().find(|token| token.text.starts_with('"')).unwrap();
        assert_eq!((literal.line, literal.end_line), (2, 3));
        assert_eq!(tokens.last().map(|token| token.line), Some(4));
    }

    #[test]
    fn places_are_found_token_by_token() {
        let tokens = read("a::b; a::c; ab::c;").unwrap();
        assert_eq!(places(&tokens, &["a", ":", ":", "c"]).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn a_file_that_is_not_rust_is_refused_with_its_line() {
        assert!(read("fn a() {\n}\n}").unwrap_err().to_string().contains("line 3"));
    }
}
