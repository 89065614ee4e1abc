//! Plots as inline SVG: a few lines or areas over time. Colours come from the page's style, so
//! that they follow light and dark.

use std::fmt::Write;

use crate::plain::commas;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

/// One line or area: what it is, its colour as a class, and a value for each moment. Where a line
/// has no value it is broken.
pub struct Curve {
    pub label: &'static str,
    pub class: &'static str,
    pub values: Vec<Option<f64>>,
}

/// How values become heights.
#[derive(Clone, Copy, PartialEq)]
pub enum Scale {
    Linear,
    /// In powers of ten, from this value up.
    Log(f64),
}

/// What all plots of a page share, and what one of them shows.
pub struct Chart {
    /// What is shown, for those who cannot see it.
    pub title: String,
    pub unit: &'static str,
    /// What the other axis shows, most often `seconds`.
    pub by: &'static str,
    /// The places on that axis, in order.
    pub at: Vec<f64>,
    /// The end of that axis.
    pub until: f64,
    pub curves: Vec<Curve>,
    pub scale: Scale,
    /// Moments to mark, in seconds.
    pub marks: Vec<(f64, &'static str)>,
    /// A value to mark.
    pub bound: Option<(f64, String)>,
}

impl Chart {
    /// Draws each curve as a line.
    pub fn lines(&self) -> String {
        let curves = self.curves.iter().flat_map(|curve| curve.values.iter());
        let bound = self.bound.as_ref().map_or(0.0, |bound| bound.0);
        let top = curves.flatten().copied().fold(bound, f64::max);
        let axis = Axis::new(self.scale, top);
        let mut svg = self.frame(&axis);
        for curve in &self.curves {
            let mut path = String::new();
            let mut is_down = false;
            for (second, value) in self.at.iter().zip(&curve.values) {
                match value {
                    Some(value) => {
                        let letter = if is_down { 'L' } else { 'M' };
                        let _ =
                            write!(path, "{letter}{:.1} {:.1}", self.x(*second), axis.y(*value));
                        is_down = true;
                    }
                    None => is_down = false,
                }
            }
            let _ = write!(svg, r#"<path class="line {}" d="{path}"/>"#, curve.class);
        }
        self.finish(svg, &axis)
    }

    /// Draws the curves on top of each other; no value counts as 0.
    pub fn areas(&self) -> String {
        let mut floor = vec![0.0; self.at.len()];
        let sum = |at: usize| -> f64 {
            let values = self
                .curves
                .iter()
                .map(|curve| curve.values[at].unwrap_or(0.0));
            values.sum()
        };
        let top = (0..self.at.len()).map(sum).fold(0.0, f64::max);
        let axis = Axis::new(self.scale, top);
        let mut svg = self.frame(&axis);
        for curve in &self.curves {
            let ceiling: Vec<f64> = floor
                .iter()
                .zip(&curve.values)
                .map(|(floor, value)| floor + value.unwrap_or(0.0))
                .collect();
            let mut path = String::new();
            let there = self.at.iter().zip(&ceiling);
            let back = self.at.iter().zip(&floor).rev();
            for (at, (second, value)) in there.chain(back).enumerate() {
                let letter = if at == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{letter}{:.1} {:.1}", self.x(*second), axis.y(*value));
            }
            let _ = write!(svg, r#"<path class="area {}" d="{path}Z"/>"#, curve.class);
            floor = ceiling;
        }
        self.finish(svg, &axis)
    }

    fn x(&self, second: f64) -> f64 {
        let part = (second / self.until.max(0.001)).clamp(0.0, 1.0);
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    /// The opening tag and the grid.
    fn frame(&self, axis: &Axis) -> String {
        let title = escape(&self.title);
        let mut svg = format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>"#
        );
        for value in &axis.ticks {
            let y = axis.y(*value);
            let _ = write!(
                svg,
                r#"<path class="grid" d="M{LEFT} {y:.1}H{}"/><text x="{}" y="{:.1}" class="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                shown(*value)
            );
        }
        let step = nice_step(self.until / 6.0);
        let mut second = 0.0;
        while second <= self.until + 1e-9 {
            // The last one would be cut off.
            let x = self.x(second);
            let (x, anchor) = if x > WIDTH - 20.0 {
                (WIDTH, "end")
            } else {
                (x, "middle")
            };
            let _ = write!(
                svg,
                r#"<text x="{x:.1}" y="{}" class="{anchor}">{}</text>"#,
                HEIGHT - 10.0,
                shown(second)
            );
            second += step;
        }
        svg
    }

    /// The marks, the closing tag and the legend.
    fn finish(&self, mut svg: String, axis: &Axis) -> String {
        if let Some((value, text)) = &self.bound {
            let y = axis.y(*value);
            let _ = write!(
                svg,
                r#"<path class="mark" d="M{LEFT} {y:.1}H{}"/><text x="{}" y="{:.1}" class="end over">{}</text>"#,
                WIDTH - RIGHT,
                WIDTH - RIGHT,
                y - 5.0,
                escape(text)
            );
        }
        for (second, text) in &self.marks {
            let x = self.x(*second);
            let _ = write!(
                svg,
                r#"<path class="mark" d="M{x:.1} {TOP}V{}"/><text x="{:.1}" y="{}" class="over">{}</text>"#,
                HEIGHT - BOTTOM,
                x + 5.0,
                TOP + 10.0,
                escape(text)
            );
        }
        svg += "</svg><p class=\"legend\">";
        for curve in &self.curves {
            let _ = write!(
                svg,
                r#"<span><i class="{}"></i>{}</span>"#,
                curve.class,
                escape(curve.label)
            );
        }
        let _ = write!(
            svg,
            r#"<span class="unit">{}, by {}</span></p>"#,
            self.unit, self.by
        );
        svg
    }
}

/// The axis of the values.
struct Axis {
    scale: Scale,
    top: f64,
    ticks: Vec<f64>,
}

impl Axis {
    fn new(scale: Scale, top: f64) -> Self {
        match scale {
            Scale::Linear => {
                let step = nice_step(top.max(1.0) / 4.0);
                let count = (top.max(1.0) / step).ceil().max(1.0);
                Self {
                    scale,
                    top: step * count,
                    ticks: (0..=count as usize).map(|at| step * at as f64).collect(),
                }
            }
            Scale::Log(from) => {
                let mut ticks = vec![from];
                while ticks[ticks.len() - 1] < top {
                    ticks.push(ticks[ticks.len() - 1] * 10.0);
                }
                if ticks.len() == 1 {
                    ticks.push(from * 10.0);
                }
                Self {
                    scale,
                    top: ticks[ticks.len() - 1],
                    ticks,
                }
            }
        }
    }

    fn y(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => value / self.top,
            Scale::Log(from) => (value.max(from) / from).log10() / (self.top / from).log10(),
        };
        HEIGHT - BOTTOM - part.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }
}

/// Returns 1, 2 or 5 times a power of ten, not below `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.max(1e-3).log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fits = factors
        .into_iter()
        .find(|factor| factor * power >= rough - 1e-12);
    fits.unwrap_or(10.0) * power
}

/// Writes a number of an axis.
fn shown(value: f64) -> String {
    if value >= 1_000_000.0 {
        format!("{} M", trimmed(value / 1e6))
    } else if value >= 10_000.0 {
        format!("{} k", trimmed(value / 1e3))
    } else if value >= 1.0 && value.fract().abs() < 1e-6 {
        commas(value as u64)
    } else {
        trimmed(value)
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Makes text safe in HTML and in its attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale) -> Chart {
        Chart {
            title: "a < b".into(),
            unit: "ms",
            by: "seconds",
            at: vec![0.0, 1.0, 2.0],
            until: 2.0,
            curves: vec![Curve {
                label: "one",
                class: "c1",
                values: vec![Some(1.0), None, Some(90.0)],
            }],
            scale,
            marks: vec![(1.0, "killed")],
            bound: None,
        }
    }

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        let axis = Axis::new(Scale::Linear, 86_000.0);
        assert_eq!(axis.ticks, [0.0, 50_000.0, 100_000.0]);
        assert_eq!((axis.y(0.0), axis.y(100_000.0)), (HEIGHT - BOTTOM, TOP));
        let axis = Axis::new(Scale::Log(0.1), 35.0);
        assert_eq!(axis.ticks.len(), 4);
        assert!((axis.y(0.1) - (HEIGHT - BOTTOM)).abs() < 1e-6);
        assert_eq!(
            [nice_step(0.3), nice_step(1.0), nice_step(3.0)],
            [0.5, 1.0, 5.0]
        );
        let texts = [shown(50_000.0), shown(2_000.0), shown(0.5), shown(1.5e6)];
        assert_eq!(texts, ["50 k", "2,000", "0.5", "1.5 M"]);
    }

    #[test]
    fn a_line_is_broken_where_it_has_no_value() {
        let svg = chart(Scale::Log(0.1)).lines();
        assert!(svg.contains("<title>a &lt; b</title>"), "{svg}");
        let path = svg.split("class=\"line c1\" d=\"").nth(1).expect("a line");
        let path = path.split('"').next().expect("its end");
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(svg.contains(">killed</text>"));
    }

    #[test]
    fn areas_stand_on_each_other() {
        let mut chart = chart(Scale::Linear);
        chart.curves.push(Curve {
            label: "two",
            class: "c2",
            values: vec![Some(10.0); 3],
        });
        let svg = chart.areas();
        assert_eq!(svg.matches("class=\"area").count(), 2);
        assert!(
            svg.contains("<text x=\"50\" y=\"16.0\" class=\"end\">100</text>"),
            "{svg}"
        );
    }
}
