//! Times as MPP writes them: RFC 3339 in UTC, with milliseconds.

use crate::domain::clock::{DAY, UnixMillis};

/// The milliseconds of a second.
const SECOND: u64 = 1_000;
/// The days from the first of March of the year 0 to the Unix epoch.
const DAYS_BEFORE_1970: u64 = 719_468;
/// The days of 400 years, after which the calendar repeats itself.
const DAYS_OF_AN_ERA: u64 = 146_097;
/// The last year that four digits write.
const LAST_YEAR: u64 = 9_999;

/// Writes a time as `2026-04-10T22:00:00.000Z`; what lies behind the year 9999 is written as its end.
pub fn write(at: UnixMillis) -> String {
    let (seconds, millis) = (at / SECOND, at % SECOND);
    let [year, month, day] = date(seconds / DAY);
    if year > LAST_YEAR {
        return "9999-12-31T23:59:59.999Z".to_owned();
    }
    let of_day = seconds % DAY;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Reads a time in UTC since 1970, with up to nine digits of a second's fraction, of which milliseconds are kept. `None` for
/// every other text: another zone, a leap second, a day that the month does not have.
pub fn read(text: &str) -> Option<UnixMillis> {
    let (on, at) = text.strip_suffix('Z')?.split_once('T')?;
    let (at, fraction) = at.split_once('.').map_or((at, None), |(at, fraction)| (at, Some(fraction)));
    let [year, month, day] = numbers(on, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(at, ':', [2, 2, 2])?;
    let millis = fraction.map_or(Some(0), thousandths)?;
    let days = days(year, month, day)?;
    // Only a date of the calendar leads back to itself.
    let exists = date(days) == [year, month, day] && hour < 24 && minute < 60 && second < 60;
    exists.then_some((days * DAY + hour * 3_600 + minute * 60 + second) * SECOND + millis)
}

/// Three numbers of these many digits.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (slot, width) in found.iter_mut().zip(widths) {
        *slot = parts.next().filter(|part| part.len() == width && is_digits(part))?.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// The first three digits of a fraction.
fn thousandths(fraction: &str) -> Option<u64> {
    let fits = (1..=9).contains(&fraction.len()) && is_digits(fraction);
    fits.then(|| format!("{fraction:0<3}"))?.get(..3)?.parse().ok()
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The days from the Unix epoch to a date; years begin in March here, so that a leap day is the last one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let march_year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (march_year / 400, march_year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * DAYS_OF_AN_ERA + day_of_era).checked_sub(DAYS_BEFORE_1970)
}

/// Year, month and day of so many days after the Unix epoch.
fn date(days: u64) -> [u64; 3] {
    let days = days + DAYS_BEFORE_1970;
    let (era, of_era) = (days / DAYS_OF_AN_ERA, days % DAYS_OF_AN_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    [era * 400 + year_of_era + u64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_text() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_775_858_400_000, "2026-04-10T22:00:00.000Z"),
            (1_775_858_399_999, "2026-04-10T21:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(write(at), text);
            assert_eq!(read(text), Some(at));
        }
        assert_eq!(write(UnixMillis::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn every_day_leads_back_to_itself() {
        for day in 0..80_000 {
            let at = day * DAY * SECOND + 86_399_999;
            assert_eq!(read(&write(at)), Some(at));
        }
    }

    #[test]
    fn fractions_of_a_second_are_cut_to_milliseconds() {
        for (text, at) in [
            ("1970-01-01T00:00:01Z", 1_000),
            ("1970-01-01T00:00:01.5Z", 1_500),
            ("1970-01-01T00:00:01.123456789Z", 1_123),
        ] {
            assert_eq!(read(text), Some(at), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_in_utc_is_refused() {
        for text in [
            "",
            "Z",
            "2026-04-10",
            "2026-04-10T22:00:00",
            "2026-04-10T22:00:00.000",
            "2026-04-10t22:00:00Z",
            "2026-04-10T22:00:00z",
            "2026-04-10T22:00:00+00:00",
            "2026-04-10 22:00:00Z",
            "2026-4-10T22:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-04-00T00:00:00Z",
            "2026-04-10T24:00:00Z",
            "2026-04-10T22:60:00Z",
            "2026-04-10T22:00:60Z",
            "2026-04-10T22:00:00.Z",
            "2026-04-10T22:00:00.0000000000Z",
            "2026-04-10T22:00:00.0.0Z",
            "1969-12-31T23:59:59Z",
            "+026-04-10T22:00:00Z",
            "12026-04-10T22:00:00Z",
            "2026-04-10-01T22:00:00Z",
            "２０２６-04-10T22:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
