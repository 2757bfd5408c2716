//! Writes the results as one self-contained HTML file: the table, and a plot for each row with a number of files.

use std::cmp::Reverse;

use anyhow::{Result, anyhow};
use plotters::prelude::{
    BLACK, ChartBuilder, Circle, Color, EmptyElement, IntoDrawingArea, IntoLogRange, LineSeries, PathElement,
    RGBColor, SVGBackend, SeriesLabelPosition, WHITE,
};
use plotters::series::PointSeries;

use super::results::{Clock, Results, Subject};
use crate::cli::Policy;

const STYLE: &str = "body{font:15px/1.4 sans-serif;max-width:1200px;margin:2em auto;color:#222}\
    table{border-collapse:collapse}td,th{padding:.15em .7em;border-bottom:1px solid #ddd;text-align:right}\
    td:first-child,th:first-child{text-align:left}figure{display:inline-block;margin:.5em}";

/// Width and height of a plot, in pixels.
const SIZE: (u32, u32) = (560, 380);

/// Renders the whole page. `machine` says where the figures come from; `table` is the Markdown table.
pub(super) fn html(results: &Results, subjects: &[Subject], machine: &str, table: &str) -> Result<String> {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Pollux: measurements</title>\
         <style>{STYLE}</style><h1>What a system call costs</h1><p>{}</p>",
        escaped(machine)
    );
    for (_, plot) in plots(results, subjects)? {
        page.push_str(&format!("<figure>{plot}</figure>"));
    }
    page.push_str("<h2>All rows</h2>");
    page.push_str(&html_table(table));
    Ok(page)
}

/// Returns the plots as SVG, by the names of their rows.
pub(super) fn plots(results: &Results, subjects: &[Subject]) -> Result<Vec<(String, String)>> {
    let mut names: Vec<&str> = results.rows().map(|row| row.0.as_str()).collect();
    names.dedup();
    let mut plots = Vec::new();
    for name in names {
        let lines = lines(results, subjects, name);
        if lines.iter().any(|(_, points)| points.len() > 1) {
            plots.push((name.to_owned(), plot(name, &lines)?));
        }
    }
    Ok(plots)
}

/// A kernel's line in a plot: its points are the number of files and the instructions.
type Line = (Subject, Vec<(f64, f64)>);

fn lines(results: &Results, subjects: &[Subject], name: &str) -> Vec<Line> {
    let line = |subject| {
        let rows = results.rows().filter(|row| row.0 == name && row.1 > 0);
        let points = rows.filter_map(|row| {
            let figure = results.figure(row, subject, Clock::Instructions)?;
            Some((row.1 as f64, figure.median))
        });
        points.collect()
    };
    subjects.iter().map(|&subject| (subject, line(subject))).collect()
}

/// Draws one plot. Both axes are logarithmic: a straight line of slope one is a constant cost per file.
fn plot(name: &str, lines: &[Line]) -> Result<String> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let least = points()
        .fold((f64::INFINITY, f64::INFINITY), |least, point| (least.0.min(point.0), least.1.min(point.1)));
    let most = points().fold((1.0_f64, 1.0_f64), |most, point| (most.0.max(point.0), most.1.max(point.1)));
    let mut svg = String::new();
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot plot {name}: {error}");
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(|error| failed(&error))?;
        let mut chart = ChartBuilder::on(&area)
            .caption(name.replace('_', " "), ("sans-serif", 17))
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(70)
            .build_cartesian_2d(
                (least.0..most.0 * 1.1).log_scale(),
                (least.1 * 0.8..most.1 * 1.25).log_scale(),
            )
            .map_err(|error| failed(&error))?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(BLACK.mix(0.12))
            .x_labels(4)
            .y_labels(5)
            .x_desc("files")
            .y_desc("instructions")
            .x_label_formatter(&|n| format!("{n:.0}"))
            .y_label_formatter(&|cost| format!("{cost:.0}"))
            .draw()
            .map_err(|error| failed(&error))?;
        // Draw the wide line first.
        let mut lines: Vec<&Line> = lines.iter().collect();
        lines.sort_by_key(|(subject, _)| Reverse(width(*subject)));
        for (subject, points) in lines {
            let color = color(*subject);
            let line = color.stroke_width(width(*subject));
            chart
                .draw_series(LineSeries::new(points.iter().copied(), line))
                .map_err(|error| failed(&error))?
                .label(subject.to_string())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], line));
            let dots = PointSeries::of_element(points.iter().copied(), 3, &color, &|at, size, color| {
                EmptyElement::at(at) + Circle::new((0, 0), size, color)
            });
            chart.draw_series(dots).map_err(|error| failed(&error))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .draw()
            .map_err(|error| failed(&error))?;
        area.present().map_err(|error| failed(&error))?;
    }
    Ok(svg)
}

/// Gives the width of a kernel's line. Lines may coincide, so a thin one goes on top of a thick one.
const fn width(subject: Subject) -> u32 {
    match subject {
        Subject::Pollux(Policy::Stateful) => 5,
        _ => 2,
    }
}

fn color(subject: Subject) -> RGBColor {
    match subject {
        Subject::Linux => RGBColor(110, 110, 110),
        Subject::Pollux(Policy::Hybrid) => RGBColor(200, 50, 40),
        Subject::Pollux(Policy::Stateful) => RGBColor(150, 185, 240),
        Subject::Pollux(Policy::Stateless) => RGBColor(40, 150, 70),
    }
}

/// Converts Markdown tables, and the text between them, to HTML.
fn html_table(markdown: &str) -> String {
    let mut text = String::new();
    let mut rows = 0;
    for line in markdown.lines() {
        let Some(cells) = line.strip_prefix('|') else {
            if std::mem::take(&mut rows) > 0 {
                text.push_str("</table>");
            }
            text.push_str(&format!("<p>{}</p>", escaped(line)));
            continue;
        };
        rows += 1;
        let tag = match rows {
            1 => "th",
            // Skip the line between the head and the rows.
            2 => continue,
            _ => "td",
        };
        text.push_str(if rows == 1 { "<table><tr>" } else { "<tr>" });
        for cell in cells.trim_end_matches('|').split('|') {
            text.push_str(&format!("<{tag}>{}</{tag}>", escaped(cell.trim())));
        }
        text.push_str("</tr>");
    }
    text + "</table>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_over_several_numbers_is_plotted_and_one_without_is_not() {
        let mut results = Results::default();
        for line in ["poll 10 500 1 1", "poll 100 4000 1 1", "null 0 300 1 1"] {
            results.line(Subject::Linux, Clock::Instructions, line);
        }
        let tables = "| row |\n|---|\n| null |\n\ntimes\n\n| other |\n|---|\n| http |\n";
        let page = html(&results, &[Subject::Linux], "a & b", tables).unwrap_or_default();
        assert_eq!((page.matches("<svg").count(), page.contains("a &amp; b")), (1, true), "{page}");
        assert!(page.contains("<table><tr><th>row</th></tr><tr><td>null</td></tr></table>"), "{page}");
        assert!(page.contains("<p>times</p>") && page.matches("<table>").count() == 2, "{page}");
    }
}
