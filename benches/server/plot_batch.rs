//! The picture of batches: what a core carries out in a second, by the entries of a call.
//!
//! Edge: what was not measured is left out. Colours and dark pages as in `plot.rs`.

use std::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::batch_rows::CURVE;
use crate::bout::{Figures, Mode};
use crate::plot::{Area, Drawn, FAINT, INK, OURS, PAPER, RULE, SCRIPT, font, left, right};
use crate::print::commas;
use crate::report::Report;

const WIDTH: i32 = 880;
const HEIGHT: i32 = 400;
/// The space beside the plot: the axis, the names of the lines, the title, the other axis.
const START: i32 = 84;
const REST: i32 = 206;
const HEAD: i32 = 56;
const FOOT: i32 = 56;
/// Lines of text closer than this would touch.
const LINE: i32 = 16;

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// With a full circle at each size that was measured.
    Full,
    /// With a hollow one.
    Hollow,
    /// Dashed: a level to compare with.
    Level,
}

/// A line of the plot.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    look: Look,
    /// Entries in a call, and entries a second of the server's own time.
    points: Vec<(f64, f64)>,
}

/// The picture as SVG; `None` when no batches were measured.
///
/// # Errors
///
/// The library could not draw it.
pub fn svg(report: &Report) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
    let curves = curves(&report.rows);
    if curves.is_empty() {
        return Ok(None);
    }
    let mut text = String::new();
    {
        let size = (WIDTH as u32, HEIGHT as u32);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&PAPER)?;
        draw(&root, &curves)?;
        root.present()?;
    }
    Ok(Some(crate::plot::with_dark(&text)))
}

/// Batches by their size, and beside them single commands, which have none.
fn curves(rows: &[Figures]) -> Vec<Curve> {
    let per_second = |mode: Mode, name: &str| {
        let row = rows.iter().find(|row| row.mode == mode && row.name == name);
        row?.items_per_core_second()
    };
    let by_size = |name, mode, look| {
        let points = CURVE
            .iter()
            .filter_map(|(size, row)| Some((*size as f64, per_second(mode, row)?)));
        Curve {
            name,
            colour: OURS,
            look,
            points: points.collect(),
        }
    };
    let level = |name, row, colour| {
        let points =
            per_second(Mode::BatchMemory, row).map(|value| [1.0, 1000.0].map(|x| (x, value)));
        Curve {
            name,
            colour,
            look: Look::Level,
            points: points.into_iter().flatten().collect(),
        }
    };
    let mut curves = vec![
        by_size("MRESERVE, AOF off", Mode::BatchMemory, Look::Full),
        by_size("MRESERVE, AOF everysec", Mode::BatchEverysec, Look::Hollow),
        level("RESERVE, one by one", "RESERVE", INK),
        level("HINCRBY", "HINCRBY", FAINT),
        level("the same work in Lua", "Lua reserve", SCRIPT),
    ];
    curves.retain(|curve| curve.points.len() > 1);
    match curves.first() {
        Some(first) if first.look != Look::Level => curves,
        _ => Vec::new(),
    }
}

/// The axes: sizes grow by factors, throughputs begin at 0.
struct Scale {
    top: f64,
    step: f64,
}

impl Scale {
    fn of(curves: &[Curve]) -> Scale {
        let points = curves.iter().flat_map(|curve| &curve.points);
        let most = points.map(|point| point.1).fold(1.0, f64::max);
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
        let fits = |step: &f64| most / (step * 100_000.0) <= 7.0;
        let step = 100_000.0 * steps.into_iter().find(fits).unwrap_or(100.0);
        Scale {
            top: (most / step).ceil() * step,
            step,
        }
    }

    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        let (width, height) = (WIDTH - START - REST, HEIGHT - HEAD - FOOT);
        let across = x.log10() / CURVE[CURVE.len() - 1].0.ilog10() as f64;
        (
            START + (across * f64::from(width)) as i32,
            HEIGHT - FOOT - (y / self.top * f64::from(height)) as i32,
        )
    }
}

fn draw(area: &Area<'_>, curves: &[Curve]) -> Drawn {
    let scale = Scale::of(curves);
    let title = "Reservations in a second of the server's time";
    area.draw_text(title, &left(font(17, INK)), (24, 26))?;
    draw_axes(area, &scale)?;
    let mut ends = Vec::new();
    for curve in curves {
        let places: Vec<(i32, i32)> = curve.points.iter().map(|at| scale.place(*at)).collect();
        for pair in places.windows(2) {
            draw_line(area, pair[0], pair[1], curve)?;
        }
        for place in &places {
            draw_mark(area, *place, curve)?;
        }
        ends.extend(places.last().map(|place| (place.1, curve)));
    }
    // Names stand at the ends of their lines, or a line of text below the one above.
    ends.sort_by_key(|(y, _)| *y);
    let mut free = 0;
    for (y, curve) in ends {
        let y = y.max(free);
        free = y + LINE;
        draw_mark(area, (WIDTH - REST + 17, y), curve)?;
        let place = (WIDTH - REST + 28, y);
        area.draw_text(curve.name, &left(font(13, curve.colour)), place)?;
    }
    Ok(())
}

fn draw_axes(area: &Area<'_>, scale: &Scale) -> Drawn {
    let (end, bottom) = (WIDTH - REST, HEIGHT - FOOT);
    let mut tick = 0.0;
    while tick <= scale.top {
        let (_, y) = scale.place((1.0, tick));
        area.draw(&PathElement::new(vec![(START, y), (end, y)], RULE))?;
        let value = commas(tick as u64);
        area.draw_text(&value, &right(font(12, FAINT)), (START - 10, y))?;
        tick += scale.step;
    }
    let centred = font(12, FAINT).pos(Pos::new(HPos::Center, VPos::Center));
    for (size, _) in CURVE {
        let (x, _) = scale.place((size as f64, 0.0));
        area.draw(&PathElement::new(vec![(x, bottom), (x, bottom + 4)], RULE))?;
        area.draw_text(&commas(size), &centred, (x, bottom + 16))?;
    }
    let middle = (START + end) / 2;
    area.draw_text("entries in a call", &centred, (middle, bottom + 38))?;
    Ok(())
}

/// A size that was measured.
fn draw_mark(area: &Area<'_>, place: (i32, i32), curve: &Curve) -> Drawn {
    match curve.look {
        Look::Level => return Ok(()),
        Look::Full => area.draw(&Circle::new(place, 4, curve.colour.filled()))?,
        Look::Hollow => {
            area.draw(&Circle::new(place, 4, PAPER.filled()))?;
            area.draw(&Circle::new(place, 4, curve.colour.stroke_width(2)))?;
        }
    }
    Ok(())
}

/// A straight piece of a curve.
fn draw_line(area: &Area<'_>, from: (i32, i32), to: (i32, i32), curve: &Curve) -> Drawn {
    if curve.look != Look::Level {
        let style = curve.colour.stroke_width(2);
        area.draw(&PathElement::new(vec![from, to], style))?;
        return Ok(());
    }
    let style = curve.colour.stroke_width(1);
    const DASH: f64 = 6.0;
    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let length = dx.hypot(dy).max(1.0);
    let at = |way: f64| {
        let share = (way / length).min(1.0);
        (
            from.0 + (dx * share).round() as i32,
            from.1 + (dy * share).round() as i32,
        )
    };
    let mut way = 0.0;
    while way < length {
        area.draw(&PathElement::new(vec![at(way), at(way + DASH)], style))?;
        way += DASH * 1.7;
    }
    Ok(())
}
