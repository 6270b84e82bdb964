//! Moments as an operator writes them.

use domain::Timestamp;

/// `2h`, `30m`, `7d`: so long before `now`. `2026-11-28` or `2026-11-28T09:30:00Z`: that moment, in UTC.
///
/// # Errors
/// What was expected.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    ago(text)
        .map(|millis| Timestamp::from_millis(now.millis().saturating_sub(millis)))
        .or_else(|| date(text))
        .ok_or_else(|| format!("'{text}' is no time: write 2h, 7d, 2026-11-28 or 2026-11-28T09:30:00Z"))
}

fn ago(text: &str) -> Option<i64> {
    let seconds = match text.chars().last()? {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = text.get(..text.len() - 1)?.parse().ok()?;
    Some(i64::from(count) * seconds * 1_000)
}

fn date(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let day: Vec<i64> = numbers(day, '-')?;
    let time = numbers(time.strip_suffix('Z')?, ':')?;
    let (&[year, month, day], [hour, minute, rest @ ..]) = (&day[..], &time[..]) else { return None };
    let second = match rest {
        [] => 0,
        [second] => *second,
        _ => return None,
    };
    let good = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(hour)
        && (0..60).contains(minute)
        && (0..60).contains(&second);
    good.then(|| Timestamp::from_secs(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second))
}

fn numbers(text: &str, between: char) -> Option<Vec<i64>> {
    text.split(between).map(|part| part.parse().ok()).collect()
}

/// Days since 1970-01-01, counted in years that begin in March, so that the leap day is the last of its year.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    before + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_or_so_long_ago() {
        let now = Timestamp::from_secs(1_800_000_000);
        let secs = |text: &str| moment(text, now).map(|at| at.millis() / 1_000);
        assert_eq!(secs("2h"), Ok(1_800_000_000 - 7_200));
        assert_eq!(secs("7d"), Ok(1_800_000_000 - 604_800));
        assert_eq!(secs("1970-01-01"), Ok(0));
        assert_eq!(secs("2024-02-29"), Ok(1_709_164_800));
        assert_eq!(secs("2026-11-28T09:30:05Z"), Ok(1_795_858_205));
        for wrong in ["", "h", "2026-13-01", "2026-11-28T25:00Z", "yesterday", "-2h", "2026-11-28T09:30"] {
            assert!(secs(wrong).is_err(), "{wrong}");
        }
    }
}
