//! One thing in each part, one after the other: idempotent, and not atomic over parts.

use redis::Value;

use super::names::{self, PartLinks};
use super::options::{AlterOptions, Common};
use crate::failure::Failure;
use crate::link::{explain, string};

/// Sends a command to each part, and returns the exit code: 1 if a part refuses.
///
/// # Errors
///
/// A part cannot be reached, or answers an error; those before it have done it.
pub async fn run(common: Common, words: &[&str]) -> Result<u8, Failure> {
    let address = common.redis.address()?;
    let cannot = Failure::CannotGoOn;
    let names = names::find(&address, &common.sale, &common.place)
        .await
        .map_err(cannot)?;
    let links = PartLinks::connect(&address, &names).await.map_err(cannot)?;
    let mut refused = 0;
    for (part, name) in names.parts.iter().enumerate() {
        let mut command = redis::cmd(&format!("FLASHSALE.{}", words[0]));
        command.arg(&name.key).arg(&words[1..]);
        let answer = links.of(part).ask(&command).await;
        let answer = answer.map_err(|error| {
            let done = if part == 0 { "none" } else { "those before it" };
            Failure::CannotGoOn(format!(
                "{}: {}. Of the parts, {done} did it: run it again",
                name.key,
                explain(&error)
            ))
        })?;
        if let Value::Array(row) = &answer {
            let word = row.first().map(string).unwrap_or_default();
            println!("{}: {word}", name.key);
            refused += 1;
        }
    }
    let parts = names.parts.len();
    println!("{} of {parts} parts of {}: OK", parts - refused, names.sale);
    Ok(u8::from(refused > 0))
}

/// ALTER in each part.
///
/// # Errors
///
/// As [`run`]; or an option that a split sale does not have.
pub async fn alter(options: AlterOptions) -> Result<u8, Failure> {
    let is_group = |word: &String| word.eq_ignore_ascii_case("GROUP");
    if let Some(at) = options.words.iter().position(is_group)
        && options
            .words
            .get(at + 1)
            .is_none_or(|name| !name.is_empty())
    {
        return Err(Failure::Usage(
            "GROUP: only \"\", with which each part answers for itself".into(),
        ));
    }
    refuse_salelimit(&options.words)?;
    let mut words = vec!["ALTER"];
    words.extend(options.words.iter().map(String::as_str));
    run(options.common, &words).await
}

/// A limit of the whole sale would be a second thing that has to move between parts.
///
/// # Errors
///
/// The words have it.
pub fn refuse_salelimit(words: &[String]) -> Result<(), Failure> {
    if words
        .iter()
        .any(|word| word.eq_ignore_ascii_case("SALELIMIT"))
    {
        return Err(Failure::Usage(
            "SALELIMIT: a split sale has none; give it less stock".into(),
        ));
    }
    Ok(())
}
