//! Trees of values, and the parser that builds them: as much of JSON as the records use.

use std::collections::BTreeMap;
use std::fmt;

/// A value with all that is below it.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Flag(bool),
    Number(i64),
    Text(String),
    List(Vec<Tree>),
    Object(BTreeMap<String, Tree>),
}

impl Tree {
    /// The value under `name`, if this is an object that has one.
    pub fn get(&self, name: &str) -> Option<&Tree> {
        match self {
            Tree::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    /// The text under `name`; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Tree::Text(text)) => text,
            _ => "",
        }
    }

    /// The number under `name`; 0 if there is none.
    pub fn number(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Tree::Number(number)) => *number,
            _ => 0,
        }
    }

    /// The values in the list under `name`; none if there is no list.
    pub fn list(&self, name: &str) -> &[Tree] {
        match self.get(name) {
            Some(Tree::List(values)) => values,
            _ => &[],
        }
    }
}

/// What the parser did not understand, and where.
#[derive(Debug)]
pub struct Error {
    /// Bytes from the beginning of the text.
    offset: usize,
    expected: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {} at byte {}", self.expected, self.offset)
    }
}

/// Builds the tree of a text that holds one value.
///
/// # Errors
///
/// If the text is not the JSON that this reads.
pub fn parse(text: &str) -> Result<Tree, Error> {
    let mut parser = Parser { text, offset: 0 };
    let tree = parser.value()?;
    parser.skip_space();
    if parser.offset == text.len() { Ok(tree) } else { Err(parser.expected("the end")) }
}

struct Parser<'text> {
    text: &'text str,
    offset: usize,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<Tree, Error> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.list(),
            Some(b'"') => Ok(Tree::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.takes("null") => Ok(Tree::Null),
            _ if self.takes("true") => Ok(Tree::Flag(true)),
            _ if self.takes("false") => Ok(Tree::Flag(false)),
            _ => Err(self.expected("a value")),
        }
    }

    fn object(&mut self) -> Result<Tree, Error> {
        let mut fields = BTreeMap::new();
        self.offset += 1;
        self.skip_space();
        while !self.takes("}") {
            let name = self.string()?;
            self.skip_space();
            if !self.takes(":") {
                return Err(self.expected("a colon"));
            }
            fields.insert(name, self.value()?);
            self.separator("}")?;
        }
        Ok(Tree::Object(fields))
    }

    fn list(&mut self) -> Result<Tree, Error> {
        let mut values = Vec::new();
        self.offset += 1;
        self.skip_space();
        while !self.takes("]") {
            values.push(self.value()?);
            self.separator("]")?;
        }
        Ok(Tree::List(values))
    }

    /// Goes past a comma, or up to `end`.
    fn separator(&mut self, end: &str) -> Result<(), Error> {
        self.skip_space();
        if self.takes(",") {
            self.skip_space();
            Ok(())
        } else if self.text[self.offset..].starts_with(end) {
            Ok(())
        } else {
            Err(self.expected("a comma"))
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        if !self.takes("\"") {
            return Err(self.expected("a string"));
        }
        let mut string = String::new();
        loop {
            let rest = &self.text[self.offset..];
            let Some(length) = rest.find(['"', '\\']) else { return Err(self.expected("a quote")) };
            string.push_str(&rest[..length]);
            self.offset += length;
            if self.takes("\"") {
                return Ok(string);
            }
            let escaped = rest[length + 1..].chars().next().ok_or_else(|| self.expected("a character"))?;
            string.push(escaped);
            self.offset += 1 + escaped.len_utf8();
        }
    }

    fn number(&mut self) -> Result<Tree, Error> {
        let rest = &self.text[self.offset..];
        let is_part = |character: char| character == '-' || character.is_ascii_digit();
        let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let number = rest[..length].parse().map_err(|_| self.expected("a whole number"))?;
        self.offset += length;
        Ok(Tree::Number(number))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.text[self.offset..].starts_with(word);
        if found {
            self.offset += word.len();
        }
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n')) {
            self.offset += 1;
        }
    }

    fn expected(&self, expected: &'static str) -> Error {
        Error { offset: self.offset, expected }
    }
}
