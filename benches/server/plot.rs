//! The picture of a report: requests in a second of the server's time beside other commands,
//! and what a reservation costs as there are more of them.
//!
//! Edge: what was not measured is left out. Legible on light and dark pages: a style
//! sheet inside the picture exchanges the few colours that are used.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::bout::Mode;
use crate::growth::{Growth, Kind};
use crate::print::commas;
use crate::report::Report;

/// What drawing returns.
pub type Drawn = Result<(), Box<dyn Error + Send + Sync>>;
/// Where it is drawn.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const WIDTH: u32 = 880;
pub const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
pub const INK: RGBColor = RGBColor(0x1F, 0x23, 0x28);
pub const FAINT: RGBColor = RGBColor(0x59, 0x63, 0x6E);
pub const RULE: RGBColor = RGBColor(0xD1, 0xD9, 0xE0);
pub const OURS: RGBColor = RGBColor(0xD1, 0x24, 0x2F);
const NATIVE: RGBColor = RGBColor(0x8C, 0x95, 0x9F);
pub const SCRIPT: RGBColor = RGBColor(0x09, 0x69, 0xDA);
/// The same colours for dark pages.
const DARK: [(RGBColor, &str); 7] = [
    (PAPER, "#0D1117"),
    (INK, "#F0F6FC"),
    (FAINT, "#9198A1"),
    (RULE, "#3D444D"),
    (OURS, "#FF6A69"),
    (NATIVE, "#6E7681"),
    (SCRIPT, "#58A6FF"),
];

/// A bar: the row, its label, its colour.
type Member = (&'static str, &'static str, RGBColor);

/// What stands together in the plot of throughputs. A group is of the rows with batches where
/// those were measured, else of the mode without an AOF.
const GROUPS: [(&str, &[Member]); 5] = [
    (
        "reserve",
        &[
            ("MRESERVE 64", "MRESERVE, 64 in a call", OURS),
            ("RESERVE", "RESERVE", OURS),
            ("HINCRBY", "HINCRBY", NATIVE),
            ("Lua reserve", "Lua reserve", SCRIPT),
        ],
    ),
    (
        "refuse",
        &[
            ("MRESERVE sold out 64", "sold out, 64 in a call", OURS),
            ("RESERVE sold out", "RESERVE sold out", OURS),
            ("Lua sold out", "Lua sold out", SCRIPT),
        ],
    ),
    (
        "order",
        &[
            ("MCHECKOUT 64", "MCHECKOUT, 64 in a call", OURS),
            ("CHECKOUT", "CHECKOUT", OURS),
            ("XADD", "XADD", NATIVE),
            ("Lua checkout", "Lua checkout", SCRIPT),
        ],
    ),
    (
        "count",
        &[("STOCK", "STOCK", OURS), ("HGET", "HGET", NATIVE)],
    ),
    (
        "look up",
        &[("GET", "GET", OURS), ("HGETALL", "HGETALL", NATIVE)],
    ),
];

const BAR: i32 = 18;
const GAP: i32 = 12;
const TOP: i32 = 58;
const CURVES: i32 = 290;

struct Bar {
    group: Option<&'static str>,
    name: &'static str,
    colour: RGBColor,
    per_second: f64,
}

/// The picture as SVG; `None` when there is nothing to draw.
///
/// # Errors
///
/// The library could not draw it.
pub fn svg(report: &Report) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
    let bars = bars(report);
    let has_curves = report
        .growths
        .iter()
        .any(|growth| growth.kind == Kind::Sale);
    if bars.is_empty() && !has_curves {
        return Ok(None);
    }
    let gaps = bars.iter().filter(|bar| bar.group.is_some()).count() as i32;
    let bars_height = match bars.len() as i32 {
        0 => 0,
        count => TOP + count * BAR + gaps * GAP,
    };
    let height = bars_height + if has_curves { CURVES } else { 0 };
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, height as u32)).into_drawing_area();
        root.fill(&PAPER)?;
        let (upper, lower) = root.split_vertically(bars_height);
        if !bars.is_empty() {
            draw_bars(&upper, &bars)?;
        }
        if has_curves {
            let (left, right) = lower.split_horizontally(WIDTH as i32 / 2);
            draw_bytes(&left, &report.growths)?;
            draw_calls(&right, &report.growths)?;
        }
        root.present()?;
    }
    Ok(Some(with_dark(&text)))
}

/// Adds the colours of dark pages.
pub fn with_dark(text: &str) -> String {
    let hex = |colour: RGBColor| format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
    let rules: String = DARK
        .iter()
        .map(|(light, dark)| {
            let light = hex(*light);
            format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
        })
        .collect();
    let style = format!("<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n");
    match text.find(">\n") {
        Some(end) => format!("{}{style}{}", &text[..end + 2], &text[end + 2..]),
        None => text.to_owned(),
    }
}

fn bars(report: &Report) -> Vec<Bar> {
    let find = |mode: Mode, name: &str| {
        let mut rows = report.rows.iter();
        rows.find(|row| row.mode == mode && row.name == name)
    };
    let mut bars = Vec::new();
    for (group, members) in GROUPS {
        let has_batches = find(Mode::BatchMemory, members[0].0).is_some();
        let mode = match has_batches {
            true => Mode::BatchMemory,
            false => Mode::Memory,
        };
        let mut group = Some(group);
        for (name, label, colour) in members {
            bars.extend(find(mode, name).map(|row| {
                Bar {
                    group: group.take(),
                    name: label,
                    colour: *colour,
                    per_second: row
                        .items_per_core_second()
                        .unwrap_or(row.items_per_second()),
                }
            }));
        }
    }
    bars
}

pub fn font(size: i32, colour: RGBColor) -> TextStyle<'static> {
    (FontFamily::SansSerif, size).into_font().color(&colour)
}

pub fn right(style: TextStyle<'static>) -> TextStyle<'static> {
    style.pos(Pos::new(HPos::Right, VPos::Center))
}

pub fn left(style: TextStyle<'static>) -> TextStyle<'static> {
    style.pos(Pos::new(HPos::Left, VPos::Center))
}

/// Horizontal bars, those to be compared below each other.
fn draw_bars(area: &Area<'_>, bars: &[Bar]) -> Drawn {
    const NAMES: i32 = 250;
    const VALUES: i32 = 90;
    let longest = bars.iter().map(|bar| bar.per_second).fold(1.0, f64::max);
    let scale = f64::from(WIDTH as i32 - NAMES - VALUES) / longest;
    area.draw_text(
        "Requests in a second of the server's time",
        &left(font(17, INK)),
        (24, 22),
    )?;
    let mut x = 430;
    for (name, colour) in [
        ("flashsale", OURS),
        ("Redis", NATIVE),
        ("the same work in Lua", SCRIPT),
    ] {
        area.draw(&Rectangle::new([(x, 17), (x + 11, 28)], colour.filled()))?;
        area.draw_text(name, &left(font(13, FAINT)), (x + 17, 23))?;
        x += 40 + 7 * name.len() as i32;
    }
    let mut y = 42;
    for bar in bars {
        if let Some(group) = bar.group {
            y += GAP;
            area.draw_text(group, &left(font(13, FAINT)), (24, y + BAR / 2))?;
        }
        let end = NAMES + (bar.per_second * scale) as i32;
        let middle = y + BAR / 2;
        let ink = if bar.colour == OURS { INK } else { FAINT };
        area.draw_text(bar.name, &right(font(13, ink)), (NAMES - 8, middle))?;
        let corners = [(NAMES, y + 2), (end.max(NAMES + 1), y + BAR - 2)];
        area.draw(&Rectangle::new(corners, bar.colour.filled()))?;
        let value = commas((bar.per_second / 1e3).round() as u64 * 1000);
        area.draw_text(&value, &left(font(12, FAINT)), (end + 7, middle))?;
        y += BAR;
    }
    Ok(())
}

/// One line of a chart: its name, its colour, its points.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

fn curve(
    growths: &[Growth],
    kind: Kind,
    name: &'static str,
    colour: RGBColor,
    of: fn(&Growth) -> f64,
) -> Curve {
    let growths = growths.iter().filter(|growth| growth.kind == kind);
    Curve {
        name,
        colour,
        points: growths
            .map(|growth| (growth.count as f64, of(growth)))
            .collect(),
    }
}

fn draw_bytes(area: &Area<'_>, growths: &[Growth]) -> Drawn {
    let curves = [
        curve(growths, Kind::Sale, "memory", OURS, |growth| {
            growth.memory_bytes
        }),
        curve(growths, Kind::Sale, "AOF", OURS, |growth| growth.aof_bytes),
        curve(growths, Kind::Sale, "RDB", OURS, |growth| growth.rdb_bytes),
        curve(growths, Kind::Script, "memory, Lua", SCRIPT, |growth| {
            growth.memory_bytes
        }),
        curve(growths, Kind::Script, "AOF, Lua", SCRIPT, |growth| {
            growth.aof_bytes
        }),
    ];
    draw_curves(area, "Bytes a reservation", &curves, 50.0)
}

fn draw_calls(area: &Area<'_>, growths: &[Growth]) -> Drawn {
    let ms = |growth: &Growth| growth.call_max_us / 1e3;
    let curves = [
        curve(growths, Kind::Sale, "RESERVE", OURS, ms),
        curve(growths, Kind::Script, "Lua", SCRIPT, ms),
    ];
    draw_curves(area, "Longest single call, ms", &curves, 0.5)
}

/// Curves over the number of reservations, which grows tenfold from tick to tick. The
/// other axis begins at 0 and has ticks of a round number of `steps`.
fn draw_curves(area: &Area<'_>, title: &str, curves: &[Curve], step: f64) -> Drawn {
    let (start, rest, head, foot) = (62, 100, 56, 44);
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let most = points().map(|point| point.1).fold(step, f64::max);
    let (first, last) = points().fold((f64::MAX, 1.0_f64), |(first, last), point| {
        (first.min(point.0), last.max(point.0))
    });
    let last = last.max(first * 10.0);
    let steps = [1.0, 2.0, 4.0, 10.0, 20.0, 40.0, 100.0, 200.0, 400.0];
    let step = step
        * steps
            .into_iter()
            .find(|times| most / (step * times) <= 7.0)
            .unwrap_or(1000.0);
    let top = (most / step).ceil() * step;
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32 - start - rest, height as i32 - head - foot);
    let place = |x: f64, y: f64| {
        let across = (x / first).log10() / (last / first).log10();
        (
            start + (across * f64::from(width)) as i32,
            head + height - (y / top * f64::from(height)) as i32,
        )
    };
    area.draw_text(title, &left(font(17, INK)), (24, 26))?;
    let mut tick = 0.0;
    while tick <= top {
        let (_, y) = place(first, tick);
        area.draw(&PathElement::new(
            vec![(start, y), (start + width, y)],
            RULE,
        ))?;
        let places = usize::from(step < 1.0);
        let value = format!("{tick:.places$}");
        area.draw_text(&value, &right(font(12, FAINT)), (start - 8, y))?;
        tick += step;
    }
    let mut count = first;
    while count <= last * 1.001 {
        let (x, y) = place(count, 0.0);
        let style = font(12, FAINT).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw_text(&commas(count as u64), &style, (x, y + 16))?;
        count *= 10.0;
    }
    let centred = font(12, FAINT).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw_text(
        "reservations",
        &centred,
        (start + width / 2, head + height + 34),
    )?;
    let mut taken = Vec::new();
    for curve in curves {
        let places = curve.points.iter().map(|point| place(point.0, point.1));
        draw_curve(area, curve, places.collect(), &mut taken)?;
    }
    Ok(())
}

/// One curve and its name, which goes above those already `taken` at the same height.
fn draw_curve(
    area: &Area<'_>,
    curve: &Curve,
    places: Vec<(i32, i32)>,
    taken: &mut Vec<i32>,
) -> Drawn {
    let Some(&(x, mut y)) = places.last() else {
        return Ok(());
    };
    for place in &places {
        area.draw(&Circle::new(*place, 3, curve.colour.filled()))?;
    }
    area.draw(&PathElement::new(places, curve.colour.stroke_width(2)))?;
    while let Some(other) = taken.iter().find(|&&other| (other - y).abs() < 14) {
        y = other - 14;
    }
    taken.push(y);
    area.draw_text(curve.name, &left(font(12, curve.colour)), (x + 8, y))?;
    Ok(())
}
