//! What was measured, for people and for programs.

use serde_json::{Map, Value, json};

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Told beside the others, with no goal of its own.
    Beside,
}

/// One line of the report.
#[derive(Clone, Debug)]
pub struct Figure {
    pub case: String,
    pub what: String,
    pub unit: &'static str,
    pub goal: Goal,
    /// One value per alternation.
    pub runs: Vec<f64>,
}

impl Figure {
    pub fn new(
        case: impl Into<String>,
        what: impl Into<String>,
        unit: &'static str,
        goal: Goal,
        runs: Vec<f64>,
    ) -> Self {
        Self { case: case.into(), what: what.into(), unit, goal, runs }
    }

    /// The median.
    pub fn value(&self) -> f64 {
        median(&self.runs)
    }

    fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtLeast(least) => Some(self.value() >= least),
            Goal::AtMost(most) => Some(self.value() <= most),
            Goal::Beside => None,
        }
    }

    fn goal_number(&self) -> Value {
        match self.goal {
            Goal::AtLeast(goal) | Goal::AtMost(goal) => json!(goal),
            Goal::Beside => Value::Null,
        }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Goal::AtLeast(least) => format!(">= {}", rounded(least)),
            Goal::AtMost(most) => format!("<= {}", rounded(most)),
            Goal::Beside => String::new(),
        }
    }
}

/// The middle of the values; of two middles the mean.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

fn rounded(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// `{"cases":{"V1":{"value":..,"unit":..,"goal":..,"met":true,"runs":[..]}}}`.
pub fn object(figures: &[Figure]) -> Value {
    let cases: Map<_, _> = figures
        .iter()
        .map(|figure| {
            let line = json!({
                "value": figure.value(),
                "unit": figure.unit,
                "goal": figure.goal_number(),
                "met": figure.met(),
                "runs": figure.runs,
            });
            (format!("{} {}", figure.case, figure.what).trim().to_owned(), line)
        })
        .collect();
    json!({ "cases": cases })
}

/// A table; also what goes into `docs/BENCHMARKS.md`.
pub fn table(figures: &[Figure]) -> String {
    let mut lines = vec!["| case | what | min | median | max | unit | goal | met |".to_owned()];
    lines.push("|---|---|---|---|---|---|---|---|".to_owned());
    for figure in figures {
        let least = figure.runs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = figure.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let met = figure.met().map_or("", |met| if met { "yes" } else { "NO" });
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} | {met} |",
            figure.case,
            figure.what,
            rounded(least),
            rounded(figure.value()),
            rounded(most),
            figure.unit,
            figure.goal_text(),
        ));
    }
    lines.join("\n")
}
