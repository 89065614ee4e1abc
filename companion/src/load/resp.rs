//! RESP2 on a socket that never waits: commands into bytes, bytes into answers as they come.
//!
//! The driver of `load` has its own reader because nothing here may cost more than the server
//! needs to answer: a client library wakes a task for each answer.

/// An answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Text(String),
    Number(i64),
    Nothing,
    Error(String),
    List(Vec<Answer>),
}

/// Appends a command.
pub fn push_command(bytes: &mut Vec<u8>, words: &[&[u8]]) {
    push_header(bytes, b'*', words.len());
    for word in words {
        push_word(bytes, word);
    }
}

/// Appends the beginning of a command of so many words.
pub fn push_header(bytes: &mut Vec<u8>, kind: u8, number: usize) {
    bytes.push(kind);
    bytes.extend_from_slice(number.to_string().as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

/// Appends one word of a command.
pub fn push_word(bytes: &mut Vec<u8>, word: &[u8]) {
    push_header(bytes, b'$', word.len());
    bytes.extend_from_slice(word);
    bytes.extend_from_slice(b"\r\n");
}

/// Why no answer can be taken from the bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Stuck {
    /// The rest has not arrived yet.
    Incomplete,
    /// These bytes are no RESP2.
    Garbled,
}

/// Takes the first answer from the bytes, and returns it with its length.
///
/// # Errors
///
/// It is not whole, or it is no RESP2.
pub fn take_answer(bytes: &[u8]) -> Result<(Answer, usize), Stuck> {
    let mut at = 0;
    let answer = take(bytes, &mut at, 0)?;
    Ok((answer, at))
}

/// An answer in an answer in an answer: a batch has one level less.
const DEPTH_MAX: u32 = 8;

fn take(bytes: &[u8], at: &mut usize, depth: u32) -> Result<Answer, Stuck> {
    let rest = bytes.get(*at..).ok_or(Stuck::Incomplete)?;
    let end = rest.windows(2).position(|two| two == b"\r\n");
    let end = end.ok_or(Stuck::Incomplete)?;
    let line = std::str::from_utf8(&rest[..end]).map_err(|_| Stuck::Garbled)?;
    *at += end + 2;
    let mut letters = line.chars();
    let kind = letters.next().ok_or(Stuck::Garbled)?;
    let text = letters.as_str();
    let number = || text.parse::<i64>().map_err(|_| Stuck::Garbled);
    match kind {
        '+' => Ok(Answer::Text(text.to_owned())),
        '-' => Ok(Answer::Error(text.to_owned())),
        ':' => Ok(Answer::Number(number()?)),
        '$' => match usize::try_from(number()?) {
            Err(_) => Ok(Answer::Nothing),
            Ok(length) => {
                let word = bytes.get(*at..*at + length).ok_or(Stuck::Incomplete)?;
                if bytes.len() < *at + length + 2 {
                    return Err(Stuck::Incomplete);
                }
                *at += length + 2;
                Ok(Answer::Text(String::from_utf8_lossy(word).into_owned()))
            }
        },
        '*' if depth < DEPTH_MAX => match usize::try_from(number()?) {
            Err(_) => Ok(Answer::Nothing),
            Ok(length) => {
                let mut list = Vec::with_capacity(length.min(1_024));
                for _ in 0..length {
                    list.push(take(bytes, at, depth + 1)?);
                }
                Ok(Answer::List(list))
            }
        },
        _ => Err(Stuck::Garbled),
    }
}

/// A status word, then details; an error has its code as the word and its text as a detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub word: String,
    pub details: Vec<Answer>,
    pub is_error: bool,
    /// When the buyer may ask again, where the target says it beside the answer.
    pub after_ms: Option<u64>,
}

impl Reply {
    /// Takes an answer apart. What is no status has the word `?`, so that it is reported.
    pub fn new(answer: Answer) -> Self {
        let status = |word, details| Self {
            word,
            details,
            is_error: false,
            after_ms: None,
        };
        match answer {
            Answer::Text(word) => status(word, Vec::new()),
            Answer::List(mut parts) if matches!(parts.first(), Some(Answer::Text(_))) => {
                let word = text_of(&parts.remove(0));
                status(word, parts)
            }
            Answer::Error(text) => {
                let (code, text) = text.split_once(' ').unwrap_or((&text, ""));
                Self {
                    word: code.to_owned(),
                    details: vec![Answer::Text(text.to_owned())],
                    is_error: true,
                    after_ms: None,
                }
            }
            other => status("?".to_owned(), vec![other]),
        }
    }

    /// Returns the detail at `position`, if it is a number.
    pub fn number(&self, position: usize) -> Option<i64> {
        match self.details.get(position) {
            Some(Answer::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns the detail at `position` as text; empty if there is none.
    pub fn text(&self, position: usize) -> String {
        self.details.get(position).map(text_of).unwrap_or_default()
    }

    /// Returns the whole reply on one line.
    pub fn line(&self) -> String {
        let details: Vec<String> = self.details.iter().map(text_of).collect();
        format!("{} {}", self.word, details.join(" "))
            .trim_end()
            .to_owned()
    }
}

fn text_of(answer: &Answer) -> String {
    match answer {
        Answer::Text(text) => text.clone(),
        Answer::Number(number) => number.to_string(),
        Answer::Nothing => "null".to_owned(),
        Answer::Error(text) => format!("({text})"),
        Answer::List(parts) => {
            let parts: Vec<String> = parts.iter().map(text_of).collect();
            format!("[{}]", parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"*3\r\n$8\r\nRESERVED\r\n:-1\r\n*2\r\n-OOM full\r\n$-1\r\n";

    #[test]
    fn reads_an_answer_in_whatever_pieces_it_comes() {
        for length in 0..ANSWER.len() {
            assert_eq!(take_answer(&ANSWER[..length]), Err(Stuck::Incomplete));
        }
        let (answer, length) = take_answer(ANSWER).expect("an answer");
        assert_eq!(length, ANSWER.len());
        let reply = Reply::new(answer);
        assert_eq!(reply.line(), "RESERVED -1 [(OOM full), null]");
        assert_eq!((reply.number(0), reply.number(1)), (Some(-1), None));
    }

    #[test]
    fn refuses_what_is_no_resp() {
        for bytes in [&b"?1\r\n"[..], b"\r\n", b":x\r\n"] {
            assert_eq!(take_answer(bytes), Err(Stuck::Garbled));
        }
        let deep = b"*1\r\n".repeat(20);
        assert_eq!(take_answer(&deep), Err(Stuck::Garbled));
    }

    #[test]
    fn an_error_is_a_reply_with_its_code() {
        let reply = Reply::new(Answer::Error("NOSALE no such sale".into()));
        assert!(reply.is_error);
        assert_eq!(
            (reply.word.as_str(), reply.text(0)),
            ("NOSALE", "no such sale".into())
        );
    }

    #[test]
    fn writes_a_command() {
        let mut bytes = Vec::new();
        push_command(&mut bytes, &[b"GET", b"ab"]);
        assert_eq!(bytes, b"*2\r\n$3\r\nGET\r\n$2\r\nab\r\n");
    }
}
