//! What the live view shows.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use masklet_eval::metrics::mean;
use masklet_train::monitor::words::{clips, duration, memory, number};
use masklet_train::monitor::{History, Measure, Pace, RunInfo, StepRecord, ValidationRecord};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph};

/// Numbers are means over this many steps.
const RECENT: usize = 20;
/// The most powers of ten on the chart.
const DECADES: f64 = 5.0;
/// Width of the column with the numbers.
const NUMBERS: u16 = 34;
/// A narrower screen has no room for the chart beside the numbers.
const NARROW: u16 = NUMBERS + 36;
/// The numbers' lines, with the border.
const NUMBERS_HIGH: u16 = 15;

/// What is known of the run.
pub(super) struct Screen {
    run: RunInfo,
    history: History,
    pace: Pace,
    recent: VecDeque<StepRecord>,
    saved: Option<PathBuf>,
    colours: bool,
    stopping: bool,
    started: Instant,
    /// When the last step was complete.
    stepped: Instant,
}

impl Screen {
    /// Before the run begins; `history` is what an earlier process of the run left.
    pub(super) fn new(history: History, colours: bool) -> Self {
        let now = Instant::now();
        Self {
            run: RunInfo::default(),
            history,
            pace: Pace::default(),
            recent: VecDeque::new(),
            saved: None,
            colours,
            stopping: false,
            started: now,
            stepped: now,
        }
    }

    pub(super) fn started(&mut self, run: RunInfo) {
        self.run = run;
        self.started = Instant::now();
        self.stepped = self.started;
    }

    pub(super) fn step(&mut self, record: &StepRecord) {
        self.history.step(record);
        self.pace.step(record);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(*record);
        self.stepped = Instant::now();
    }

    pub(super) fn validated(&mut self, record: &ValidationRecord) {
        self.history.validated(record);
        self.pace.validated(record);
    }

    pub(super) fn saved(&mut self, path: PathBuf) {
        self.saved = Some(path);
    }

    /// Whether somebody asked to stop; says whether that is new.
    pub(super) fn stopping(&mut self, stopping: bool) -> bool {
        std::mem::replace(&mut self.stopping, stopping) != stopping
    }

    /// Draws everything that there is room for.
    pub(super) fn render(&self, frame: &mut Frame<'_>) {
        let [header, progress, middle, below, keys] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(3),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.header(), header);
        frame.render_widget(self.progress(), progress);
        let (numbers, chart) = split(middle);
        frame.render_widget(self.numbers(), numbers);
        if let Some(chart) = chart {
            self.render_chart(frame, chart);
        }
        frame.render_widget(Paragraph::new(self.status()), below);
        frame.render_widget(self.keys(), keys);
    }

    fn header(&self) -> Line<'_> {
        let run = &self.run;
        let (parameters, clips) = (run.parameters_in_words(), clips(run.clips_per_step));
        Line::from(vec![
            Span::from(" masklet train  ").style(self.pale()),
            Span::from(run.model.as_str()).style(bold()),
            Span::from(format!("  {parameters}, {clips} a step")).style(self.pale()),
        ])
    }

    fn progress(&self) -> LineGauge<'_> {
        let (done, all) = (self.done(), self.run.steps);
        let mut label = format!(" step {done} of {all}");
        if let Some(left) = self.pace.seconds_for(all.saturating_sub(done)) {
            label += &format!("  {} left", duration(left));
        }
        LineGauge::default()
            .ratio((done as f64 / all.max(1) as f64).clamp(0.0, 1.0))
            .label(label + " ")
            .filled_symbol("━")
            .unfilled_symbol("─")
            .filled_style(self.coloured(Color::Cyan))
            .unfilled_style(self.pale())
    }

    fn numbers(&self) -> Paragraph<'_> {
        let recent = |measure: Measure| mean(self.recent.iter().map(|step| measure.of(step)));
        let line = |name: &'static str, value: String, style| {
            Line::from(vec![
                Span::from(format!(" {name:<15}")).style(style),
                Span::from(format!("{value:>15}")),
            ])
        };
        let plain = Style::default();
        let mut lines: Vec<Line<'_>> = Measure::LOSSES
            .into_iter()
            .map(|part| {
                let name = match part {
                    Measure::Total => "loss",
                    Measure::Focal => "  focal",
                    Measure::Dice => "  dice",
                    Measure::Iou => "  IoU",
                    _ => "  occlusion",
                };
                line(name, number(recent(part)), self.style_of(part))
            })
            .collect();
        let last = self.recent.back();
        let seconds = self.pace.clips_per_second();
        let told = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        let quality = recent(Measure::MeanIou);
        let quality = (!quality.is_nan()).then(|| format!("{quality:.1} %"));
        lines.push(line("mask IoU", told(quality), plain));
        let rate = |of: Measure| told(last.map(|step| format!("{:.2e}", of.of(step))));
        lines.push(line("learning rate", rate(Measure::LearningRate), plain));
        lines.push(line("  trunk", rate(Measure::TrunkLearningRate), plain));
        lines.push(line(
            "gradient norm",
            number(recent(Measure::GradientNorm)),
            plain,
        ));
        lines.push(line(
            "speed",
            told(seconds.map(|rate| format!("{rate:.2} clips/s"))),
            plain,
        ));
        let bytes = last.and_then(|step| step.peak_memory_bytes);
        lines.push(line("memory", told(bytes.map(memory)), plain));
        lines.push(line(
            "time so far",
            duration(self.started.elapsed().as_secs_f64()),
            plain,
        ));
        let since = duration(self.stepped.elapsed().as_secs_f64());
        lines.push(line("since last step", since, plain));
        Paragraph::new(lines).block(self.frame(" mean of the last 20 steps "))
    }

    /// The loss and its parts over the whole run, logarithmic. Without colours the parts could not
    /// be told apart, and only the loss is drawn.
    fn render_chart(&self, frame: &mut Frame<'_>, area: Rect) {
        let shown = if self.colours {
            &Measure::LOSSES[..]
        } else {
            &[Measure::Total]
        };
        let lines: Vec<(Measure, Vec<(f64, f64)>)> = shown
            .iter()
            .rev()
            .map(|&part| {
                let points = self.history.series(part).points();
                let positive = points.filter(|(_, value)| *value > 0.0);
                (
                    part,
                    positive
                        .map(|(step, value)| (step, value.log10()))
                        .collect(),
                )
            })
            .collect();
        let heights = || {
            lines
                .iter()
                .flat_map(|(_, points)| points)
                .map(|point| point.1)
        };
        let least = heights().fold(f64::INFINITY, f64::min);
        let most = heights().fold(f64::NEG_INFINITY, f64::max);
        // Room around the lines, and a range where there are none. What vanishes is cut off: it
        // would press all else to the top.
        let (least, most) = match least <= most {
            true => (least.max(most - DECADES) - 0.1, most + 0.1),
            false => (-1.0, 1.0),
        };
        let datasets = lines.iter().map(|(part, points)| {
            Dataset::default()
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(self.style_of(*part))
                .data(points)
        });
        let last = self.done().max(1) as f64;
        let at = |share: f64| number(10f64.powf(least + share * (most - least)));
        let chart = Chart::new(datasets.collect())
            .block(self.frame(" loss by part (logarithmic) "))
            .legend_position(None)
            .x_axis(
                Axis::default()
                    .bounds([0.0, last])
                    .labels(["0".to_owned(), format!("step {last:.0}")])
                    .style(self.pale()),
            )
            .y_axis(
                Axis::default()
                    .bounds([least, most])
                    .labels([at(0.0), at(1.0 / 3.0), at(2.0 / 3.0), at(1.0)])
                    .style(self.pale()),
            );
        frame.render_widget(chart, area);
    }

    /// Last validation, last checkpoint, folder.
    fn status(&self) -> Vec<Line<'_>> {
        let line = |name: &'static str, value: String| {
            Line::from(vec![
                Span::from(format!(" {name:<12}")).style(self.pale()),
                Span::from(value),
            ])
        };
        let validation = self.history.validations().last().map(|last| {
            let mut text = format!(
                "J&F {:.1} (J {:.1}, F {:.1}), occlusion {:.1} %, after step {}",
                last.j_and_f, last.j, last.f, last.occlusion_accuracy, last.step
            );
            if let Some(best) = self.history.best() {
                text += &format!("; best {:.1} after step {}", best.j_and_f, best.step);
            }
            text
        });
        let saved = self.saved.as_ref().map(|path| path.display().to_string());
        vec![
            line(
                "validation",
                validation.unwrap_or_else(|| "none yet".into()),
            ),
            line("saved", saved.unwrap_or_else(|| "nothing yet".into())),
            line("folder", self.run.folder.display().to_string()),
        ]
    }

    fn keys(&self) -> Line<'_> {
        match self.stopping {
            true => Line::from(
                " stopping after this step; Ctrl-C once more stops at once, without saving",
            )
            .style(bold()),
            false => Line::from(" q or Ctrl-C: stop after this step and save").style(self.pale()),
        }
    }

    /// Steps that are complete.
    fn done(&self) -> u64 {
        self.recent
            .back()
            .map_or(self.run.resumed_at, |last| last.step)
    }

    fn frame(&self, title: &'static str) -> Block<'_> {
        Block::bordered().border_style(self.pale()).title(title)
    }

    fn style_of(&self, part: Measure) -> Style {
        match part {
            Measure::Total => bold(),
            Measure::Focal => self.coloured(Color::Blue),
            Measure::Dice => self.coloured(Color::Yellow),
            Measure::Iou => self.coloured(Color::Green),
            _ => self.coloured(Color::Magenta),
        }
    }

    fn pale(&self) -> Style {
        self.coloured(Color::DarkGray)
    }

    fn coloured(&self, colour: Color) -> Style {
        match self.colours {
            true => Style::default().fg(colour),
            false => Style::default(),
        }
    }
}

fn bold() -> Style {
    Style::default().add_modifier(Modifier::BOLD)
}

/// Where the numbers and the chart go: side by side, or the chart below, if there is room for it.
fn split(area: Rect) -> (Rect, Option<Rect>) {
    if area.width >= NARROW {
        let [chart, numbers] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(NUMBERS)]).areas(area);
        return (numbers, Some(chart));
    }
    let [numbers, chart] =
        Layout::vertical([Constraint::Length(NUMBERS_HIGH), Constraint::Fill(1)]).areas(area);
    (numbers, (chart.height >= 6).then_some(chart))
}

#[cfg(test)]
mod tests {
    use masklet_train::monitor::LossRecord;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;

    use super::*;

    fn step(step: u64) -> StepRecord {
        let focal = 4.0 / step as f64;
        StepRecord {
            step,
            losses: LossRecord {
                total: focal + 1.75,
                focal,
                dice: 1.25,
                iou: 0.375,
                occlusion: 0.125,
            },
            mean_iou: 61.5,
            learning_rate: 5e-6,
            trunk_learning_rate: 3e-6,
            gradient_norm: 0.75,
            clips: 4,
            objects: 9,
            seconds: 2.0,
            peak_memory_bytes: Some(3 << 29),
        }
    }

    fn screen(colours: bool) -> Screen {
        let mut screen = Screen::new(History::default(), colours);
        screen.started(RunInfo {
            folder: "runs/my_clips".into(),
            model: "sam2.1-tiny".into(),
            steps: 130,
            parameters: 38_945_986,
            trained_parameters: 38_945_986,
            clips_per_step: 4,
            resumed_at: 0,
        });
        (1..=30).for_each(|at| screen.step(&step(at)));
        for (step, j_and_f) in [(10, 72.25), (20, 70.5)] {
            screen.validated(&ValidationRecord {
                step,
                j_and_f,
                ..ValidationRecord::default()
            });
        }
        screen
    }

    fn shown(screen: &Screen, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.render(frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The lines of the screen, with single spaces.
    fn text(buffer: &Buffer) -> String {
        let cells: Vec<&str> = buffer.content().iter().map(|cell| cell.symbol()).collect();
        let lines = cells.chunks(usize::from(buffer.area().width));
        let words = |line: &[&str]| {
            line.concat()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        lines.map(words).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_number_is_on_the_screen() {
        let text = text(&shown(&screen(true), 100, 30));
        for part in [
            "sam2.1-tiny 38.9 million parameters, all trained, 4 clips a step",
            "step 30 of 130 3 min 20 s left",
            "dice 1.250",
            "IoU 0.375",
            "occlusion 0.125",
            "mask IoU 61.5 %",
            "learning rate 5.00e-6",
            "trunk 3.00e-6",
            "gradient norm 0.750",
            "speed 2.00 clips/s",
            "memory 1.50 GiB",
            "validation J&F 70.5",
            "best 72.2 after step 10",
            "folder runs/my_clips",
            "q or Ctrl-C: stop after this step and save",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn the_loss_is_the_mean_of_recent_steps() {
        let recent: f64 = (11..=30).map(|at| 4.0 / f64::from(at) + 1.75).sum::<f64>() / 20.0;
        let text = text(&shown(&screen(true), 100, 30));
        assert!(text.contains(&format!("loss {recent:.3}")), "{text}");
    }

    #[test]
    fn a_stop_is_confirmed() {
        let mut screen = screen(true);
        assert!(screen.stopping(true) && !screen.stopping(true));
        assert!(text(&shown(&screen, 100, 30)).contains("stopping after this step"));
    }

    #[test]
    fn there_are_no_colours_where_none_are_wanted() {
        let coloured = |buffer: &Buffer| {
            let cells = buffer.content().iter();
            cells
                .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
                .count()
        };
        assert!(coloured(&shown(&screen(true), 100, 30)) > 100);
        assert_eq!(coloured(&shown(&screen(false), 100, 30)), 0);
    }

    #[test]
    fn small_screens_show_what_there_is_room_for() {
        for (width, height) in [(1, 1), (10, 3), (40, 12), (60, 40), (79, 24), (200, 60)] {
            shown(&screen(true), width, height);
        }
        assert!(text(&shown(&screen(true), 40, 24)).contains("mask IoU 61.5 %"));
    }

    #[test]
    fn a_run_that_has_not_made_a_step_is_shown() {
        let text = text(&shown(&Screen::new(History::default(), true), 100, 30));
        assert!(
            text.contains("validation none yet") && text.contains("loss -"),
            "{text}"
        );
    }
}
