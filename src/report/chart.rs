//! The timeline as pictures: requests a second below the limit, and how long they took.
//!
//! A picture is SVG that stands in the page. Its colours are names: the page's style gives each its light and its dark
//! shade. Every picture is made twice, for a wide and for a narrow screen.

use std::ops::Range;

use chrono::{DateTime, Offset as _, Utc};
use chrono_tz::Europe::London;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::timeline::{Bucket, Timeline};

/// Colours that the page's style replaces.
const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const FIRST: RGBColor = RGBColor(3, 3, 3);
const SECOND: RGBColor = RGBColor(4, 4, 4);
const THIRD: RGBColor = RGBColor(5, 5, 5);
const LIMIT: RGBColor = RGBColor(6, 6, 6);

/// Sizes in pixels: width, height, and how many times are written below.
const WIDE: (u32, u32, usize) = (960, 260, 9);
const NARROW: (u32, u32, usize) = (340, 220, 4);

/// What can go wrong in drawing: nothing that depends on what is drawn.
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The axes of a picture: milliseconds since 1970, and numbers.
type Plane = Cartesian2d<Clock, RangedCoordf64>;
/// How high a bucket's layer is, in requests.
type Height = fn(&Bucket) -> u64;
type Context<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Plane>;

/// Distances between the times that stand below a picture, in milliseconds.
const STEPS_MS: [i64; 19] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
    3_600_000, 7_200_000, 10_800_000, 21_600_000,
];

/// An axis of time, marked where clocks in London show round times.
#[derive(Clone, Debug)]
struct Clock(Range<i64>);

impl Ranged for Clock {
    type FormatOption = DefaultFormatting;
    type ValueType = i64;

    fn map(&self, at: &i64, (left, right): (i32, i32)) -> i32 {
        let share = (at - self.0.start) as f64 / (self.0.end - self.0.start).max(1) as f64;
        left + (share * f64::from(right - left)) as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<i64> {
        let most = hint.max_num_points().max(1) as i64;
        let fits = |step: &i64| (self.0.end - self.0.start) / step < most;
        let step = STEPS_MS.into_iter().find(fits).unwrap_or(86_400_000);
        let offset = instant(self.0.start).with_timezone(&London).offset().fix().local_minus_utc();
        let offset = i64::from(offset) * 1000;
        let first = (self.0.start + offset).div_euclid(step) * step - offset;
        (0..=most + 1).map(|n| first + n * step).filter(|at| (self.0.start..=self.0.end).contains(at)).collect()
    }

    fn range(&self) -> Range<i64> {
        self.0.clone()
    }
}

fn instant(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// When a bucket begins, in milliseconds since 1970.
fn start(bucket: &Bucket) -> i64 {
    bucket.at.parse::<DateTime<Utc>>().map(|at| at.timestamp_millis()).unwrap_or_default()
}

/// Requests a second by kind, and the limit: for a wide and for a narrow screen.
pub(super) fn throughput(timeline: &Timeline) -> [String; 2] {
    let seconds = timeline.bucket_ms as f64 / 1000.0;
    let limit = timeline.limit.map(|limit| f64::from(limit.requests) * 1000.0 / limit.period_ms.max(1) as f64);
    let busiest = timeline.buckets.iter().map(|bucket| bucket.requests() as f64 / seconds).fold(0.0, f64::max);
    let top = limit.unwrap_or_default().max(busiest);
    both(timeline, top, &|chart| {
        let layers: [(RGBColor, Height); 3] = [
            (THIRD, Bucket::requests),
            (SECOND, |bucket| bucket.creates + bucket.statuses),
            (FIRST, |bucket| bucket.creates),
        ];
        // The layers stand in front of each other, the highest at the back.
        for (colour, height) in layers {
            chart.draw_series(timeline.buckets.iter().filter(|bucket| height(bucket) > 0).map(|bucket| {
                let (from, to) = (start(bucket), start(bucket) + timeline.bucket_ms as i64);
                Rectangle::new([(from, 0.0), (to, height(bucket) as f64 / seconds)], colour.filled())
            }))?;
        }
        if let Some(limit) = limit {
            let Range { start, end } = span(timeline);
            chart.draw_series(LineSeries::new([(start, limit), (end, limit)], LIMIT.stroke_width(2)))?;
        }
        Ok(())
    })
}

/// Milliseconds that half of the requests, and 95 of 100, took at the most: for a wide and for a narrow screen.
pub(super) fn latency(timeline: &Timeline) -> [String; 2] {
    let points = |of: fn(&Bucket) -> Option<u64>| -> Vec<(i64, f64)> {
        let middle = timeline.bucket_ms as i64 / 2;
        let point = |bucket: &Bucket| Some((start(bucket) + middle, of(bucket)? as f64));
        timeline.buckets.iter().filter_map(point).collect()
    };
    let (median, p95) = (points(|bucket| bucket.median_ms), points(|bucket| bucket.p95_ms));
    let top = p95.iter().map(|(_, ms)| *ms).fold(1.0, f64::max);
    both(timeline, top, &|chart| {
        for (line, colour) in [(&p95, SECOND), (&median, FIRST)] {
            chart.draw_series(LineSeries::new(line.iter().copied(), colour.stroke_width(2)))?;
            chart.draw_series(line.iter().map(|point| Circle::new(*point, 2, colour.filled())))?;
        }
        Ok(())
    })
}

fn both(timeline: &Timeline, top: f64, draw: &dyn Fn(&mut Context<'_, '_>) -> Drawn) -> [String; 2] {
    [WIDE, NARROW].map(|size| picture(timeline, top, size, draw).unwrap_or_default())
}

fn span(timeline: &Timeline) -> Range<i64> {
    let first = timeline.buckets.first().map(start).unwrap_or_default();
    first..timeline.buckets.last().map(start).unwrap_or_default() + timeline.bucket_ms as i64
}

fn picture(
    timeline: &Timeline,
    top: f64,
    (width, height, times): (u32, u32, usize),
    draw: &dyn Fn(&mut Context<'_, '_>) -> Drawn,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    {
        let area: DrawingArea<SVGBackend<'_>, Shift> =
            SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let span = span(timeline);
        let form = match span.end - span.start {
            ms if ms < 10_000 => "%H:%M:%S%.3f",
            ms if ms < 600_000 => "%H:%M:%S",
            _ => "%H:%M",
        };
        let mut chart = ChartBuilder::on(&area)
            .margin_top(10)
            .margin_right(18)
            .x_label_area_size(26)
            .y_label_area_size(48)
            .build_cartesian_2d(Clock(span), 0.0..top * 1.08)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_labels(times)
            .y_labels(5)
            .x_label_formatter(&|at| instant(*at).with_timezone(&London).format(form).to_string())
            .y_label_formatter(&|value| if top < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") })
            .label_style(("system-ui, sans-serif", 14).into_font().color(&INK))
            .draw()?;
        draw(&mut chart)?;
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::super::timeline::Limit;
    use super::*;

    #[test]
    fn times_are_marked_where_clocks_in_london_are_round() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
        let marks = |from: &str, to: &str| {
            let points = Clock(at(from)..at(to)).key_points(4);
            points.into_iter().map(|ms| instant(ms).format("%H:%M:%S").to_string()).collect::<Vec<_>>()
        };
        assert_eq!(marks("2026-11-24T01:58:10Z", "2026-11-24T02:41:00Z"), ["02:00:00", "02:15:00", "02:30:00"]);
        assert_eq!(
            marks("2026-11-24T02:00:00Z", "2026-11-24T02:00:03Z"),
            ["02:00:00", "02:00:01", "02:00:02", "02:00:03"]
        );
        assert_eq!(
            marks("2026-07-01T20:10:00Z", "2026-07-02T05:00:00Z"),
            ["20:00:00".replace("20", "23"), "02:00:00".into(), "05:00:00".into()]
        );
    }

    #[test]
    fn a_picture_has_the_limit_and_only_colours_that_the_page_knows() {
        let bucket = |second: u64, creates| Bucket {
            at: format!("2026-11-24T02:00:{second:02}.000Z"),
            creates,
            statuses: 3,
            median_ms: Some(12),
            p95_ms: Some(40),
            ..Bucket::default()
        };
        let timeline = Timeline {
            from: "2026-11-24T02:00:00.000Z".into(),
            to: "2026-11-24T02:00:09.000Z".into(),
            bucket_ms: 1_000,
            limit: Some(Limit { requests: 20, period_ms: 1_000 }),
            buckets: (0..10).map(|second| bucket(second, second)).collect(),
        };
        for svg in throughput(&timeline).into_iter().chain(latency(&timeline)) {
            assert!(svg.starts_with("<svg") && svg.contains("02:00:0"), "{svg}");
            let colours = svg.split("=\"#").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
            for colour in colours {
                assert!(colour.starts_with('0') && colour.len() == 6, "the page has no shade for #{colour}");
            }
        }
        assert!(throughput(&timeline)[0].contains("#060606"), "the limit is drawn");
    }
}
