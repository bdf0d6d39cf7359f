// What uPlot draws: each plot is a function from the runs to its data and options.

const STEP_COLOURS = ["c1", "c3", "c4", "c6", "c2", "ink"];
const RUN_COLOURS = ["c1", "c3"];
const FONT = "12px system-ui, sans-serif";

const axis = (more) => ({
  stroke: () => colour("muted"),
  font: FONT,
  labelFont: FONT,
  labelSize: 18,
  size: 52,
  grid: { stroke: () => colour("line"), width: 1 },
  ticks: { stroke: () => colour("line"), width: 1, size: 5 },
  ...more,
});

// Steps that people count time in, from milliseconds to weeks.
const TIME_STEPS = [1e-3, 1e-2, 0.1]
  .flatMap((unit) => [unit, 2 * unit, 5 * unit])
  .concat(
    [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800],
    [1, 2, 3, 6, 12, 24, 48, 96, 168].map((hours) => hours * 3600),
  );

const timeAxis = () => axis({ size: 34, space: 64, incrs: TIME_STEPS, values: (_, splits) => splits.map(show.clock) });

function nameOf(run, label) {
  return data.runs.length > 1 ? `${label}, ${run.letter}` : label;
}

/** The columns of a run's series on instants that all runs share. */
function onGrid(runs, names) {
  const end = Math.max(...runs.map((run) => run.series.t.at(-1) || 0));
  const points = 600;
  const t = Array.from({ length: points + 1 }, (_, place) => (end * place) / points);
  const columns = runs.flatMap((run) => names.map((name) => resampled(run.series, name, t)));
  return [t, ...columns];
}

function resampled(series, name, t) {
  const last = series.t.length - 1;
  if (last < 1) return t.map(() => null);
  const width = series.t[1] - series.t[0];
  const at = (time) => Math.min(last, Math.floor(time / width + 1e-6));
  if (name === "refused") {
    const sums = t.map(() => 0);
    const ours = t[1] - t[0];
    series.refused.forEach((count, place) => {
      sums[Math.min(t.length - 1, Math.floor((place * width) / ours + 1e-6))] += count;
    });
    return sums.map((sum) => sum || null);
  }
  return t.map((time) => (time > series.t[last] + width ? null : series[name][at(time)]));
}

function inFlightPlot(runs) {
  const steps = uPlot.paths.stepped({ align: 1 });
  const refused = runs.some((run) => run.series.refused.some(Boolean));
  const names = ["in_flight", "limit", "refused"];
  const away = runs.filter((run) => run.outages.length);
  const series = runs.flatMap((run, place) => [
    {
      label: nameOf(run, "in flight"),
      stroke: () => colour(RUN_COLOURS[place]),
      width: 1.5,
      paths: steps,
      points: { show: false },
      fill: runs.length === 1 ? () => colour("c1-fill") : undefined,
      value: (_, value) => value ?? "–",
    },
    {
      label: nameOf(run, "allowed"),
      stroke: () => colour(runs.length > 1 ? RUN_COLOURS[place] : "warn"),
      width: 1.5,
      dash: [5, 4],
      paths: steps,
      points: { show: false },
      value: (_, value) => value ?? "–",
    },
    {
      label: nameOf(run, "refused (429)"),
      scale: "refused",
      stroke: () => colour("bad"),
      fill: () => colour("bad"),
      width: 0,
      paths: uPlot.paths.bars({ size: [1, 6, 2] }),
      points: { show: false },
      value: (_, value) => value ?? 0,
    },
  ]);
  const [t, ...columns] = onGrid(runs, names);
  const numbers = away.map((run) => resampled(run.series, "away", t));
  return {
    data: [t, ...numbers.map((column) => column.map((number) => number && 1)), ...columns],
    options: {
      series: [
        { label: "at", value: (_, value) => (value === null ? "–" : show.clock(value)) },
        ...away.map((run, place) => awayBand(run, numbers[place])),
        ...series,
      ],
      scales: {
        x: { time: false },
        y: { range: (_, low, high) => [0, Math.max(1, high) * 1.08] },
        away: { range: () => [0, 1] },
        refused: { range: (_, low, high) => [0, Math.max(1, high) * 4] },
      },
      axes: [
        timeAxis(),
        axis({ label: "calls" }),
        ...(refused
          ? [
              axis({
                scale: "refused",
                side: 1,
                label: "refused",
                grid: { show: false },
                values: (u, splits) =>
                  splits.map((value) => (value <= u.scales.refused.max / 4 && Number.isInteger(value) ? value : "")),
              }),
            ]
          : []),
      ],
    },
  };
}

/** A band over the whole height while the provider was away; `numbers` are those of the outages, by instant. */
function awayBand(run, numbers) {
  return {
    label: nameOf(run, "provider away"),
    scale: "away",
    stroke: () => colour("away"),
    fill: () => colour("away"),
    width: 0,
    paths: uPlot.paths.bars({ size: [1, Number.POSITIVE_INFINITY, 1], align: 1 }),
    points: { show: false },
    value: (_, __, ___, place) => {
      const outage = run.outages[(numbers[place ?? -1] ?? 0) - 1];
      return outage ? `${show.between(outage)}, ${kindOf(outage.kind)}` : "–";
    },
  };
}

/** Whether "20 ms" and "50 ms" can stand between "10 ms" and "100 ms" on a logarithmic axis. */
function hasRoomWithinDecades(u) {
  const { min, max } = u.scales.x;
  return u.bbox.width / devicePixelRatio / Math.log10(max / min) >= 150;
}

function shortTime(seconds) {
  return seconds < 1 ? `${+(seconds * 1000).toPrecision(2)} ms` : `${+seconds.toPrecision(2)} s`;
}

function costPlot(runs) {
  const budget = runs.map((run) => run.money.budget).find((cap) => cap !== null && cap !== undefined);
  const known = runs.filter((run) => run.money.known);
  if (!known.length) return null;
  const most = Math.max(...known.map((run) => run.series.cost.at(-1) || 0));
  const cap = budget !== undefined && budget <= most * 4 ? budget : undefined;
  const columns = onGrid(known, ["cost"]);
  const series = known.map((run) => ({
    label: nameOf(run, "cost"),
    stroke: () => colour(RUN_COLOURS[runs.indexOf(run)]),
    width: 2,
    points: { show: false },
    fill: runs.length === 1 ? () => colour("c1-fill") : undefined,
    value: (_, value) => (value === null ? "–" : show.money(value)),
  }));
  if (cap !== undefined) {
    columns.push(columns[0].map(() => cap));
    series.push({
      label: "budget",
      stroke: () => colour("warn"),
      width: 1.5,
      dash: [5, 4],
      points: { show: false },
      value: () => show.money(cap),
    });
  }
  return {
    data: columns,
    options: {
      series: [{ label: "at", value: (_, value) => (value === null ? "–" : show.clock(value)) }, ...series],
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, (high || 1e-6) * 1.08] } },
      axes: [timeAxis(), axis({ size: 68, values: (_, splits) => splits.map((value) => `$${+value.toPrecision(3)}`) })],
    },
  };
}

function latencyPlot(runs) {
  const steps = [...new Set(runs.flatMap((run) => Object.keys(run.shares.steps)))];
  if (!steps.length) return null;
  const grid = [...new Set(runs.flatMap((run) => run.shares.s))].sort((a, b) => a - b);
  const columns = [];
  const series = [];
  for (const [place, step] of steps.entries()) {
    for (const [number, run] of runs.entries()) {
      if (!run.shares.steps[step]) continue;
      const known = new Map(run.shares.s.map((value, index) => [value, run.shares.steps[step][index]]));
      let last = 0;
      columns.push(
        grid.map((value) => {
          last = known.get(value) ?? last;
          return last;
        }),
      );
      series.push({
        label: nameOf(run, step),
        stroke: () => colour(STEP_COLOURS[place % STEP_COLOURS.length]),
        width: 2,
        dash: number ? [6, 4] : undefined,
        points: { show: false },
        value: (_, value) => show.percent(value),
      });
    }
  }
  return {
    data: [grid, ...columns],
    options: {
      series: [{ label: "within", value: (_, value) => (value === null ? "–" : show.time(value)) }, ...series],
      scales: { x: { time: false, distr: 3 }, y: { range: () => [0, 1.02] } },
      axes: [
        axis({
          size: 34,
          space: 40,
          filter: (_, splits) => splits,
          values: (u, splits) => {
            const named = hasRoomWithinDecades(u) ? /^[125]e/ : /^1e/;
            return splits.map((value) => (named.test(value.toExponential(0)) ? shortTime(value) : ""));
          },
        }),
        axis({ values: (_, splits) => splits.map((value) => (value > 1 ? "" : show.percent(value))) }),
      ],
    },
  };
}

const TOKEN_PARTS = [
  ["answer", "c1", (step) => step.output_tokens - step.reasoning_tokens],
  ["reasoning", "c4", (step) => step.reasoning_tokens],
  ["input", "c2", (step) => step.input_tokens - step.cached_tokens],
  ["input, cached by the provider", "c5", (step) => step.cached_tokens],
];

function tokensPlot(runs) {
  const bars = stepsOf(runs);
  if (!bars.length) return null;
  const two = runs.length > 1;
  const parts = TOKEN_PARTS.filter(([, , of]) => bars.some(({ step }) => of(step) > 0));
  const sums = bars.map(() => 0);
  const stacked = parts.map(([, , of]) => bars.map(({ step }, place) => (sums[place] += of(step))));
  const series = parts.map(([label, name, of]) => ({
    label,
    stroke: () => colour(name),
    fill: () => colour(name),
    width: 0,
    points: { show: false },
    paths: uPlot.paths.bars({ size: [0.55, 72] }),
    value: (u, _, __, place) => (bars[place ?? -1] ? show.count(of(bars[place].step)) : "–"),
  }));
  const named = (value) => {
    const bar = bars[Math.round(value ?? -1)];
    return bar ? nameOf(bar.run, bar.step.step) : "–";
  };
  const below = { grid: { show: false }, ticks: { show: false } };
  const places = bars.map((_, place) => place);
  const letters = axis({ ...below, size: 24, splits: () => places, values: () => bars.map(({ run }) => run.letter) });
  const tokens = axis({ size: 58, values: (_, splits) => splits.map(show.short) });
  const names = axis({ ...below, scale: "x", side: 2, size: two ? 24 : 34, ...stepNames(bars) });
  return {
    data: [places, ...stacked.reverse()],
    options: {
      series: [{ label: "step", value: (_, value) => named(value) }, ...series.reverse()],
      scales: {
        x: { time: false, range: () => [-0.6, bars.length - 0.4] },
        y: { range: (_, low, high) => [0, (high || 1) * 1.08] },
      },
      axes: two ? [letters, tokens, names] : [names, tokens],
      cursor: { points: { show: false } },
    },
  };
}

/** Each step's name under the middle of its bars, cut to the room that they have. */
function stepNames(bars) {
  const names = [...new Set(bars.map(({ step }) => step.step))];
  const places = names.map((name) => bars.flatMap(({ step }, place) => (step.step === name ? [place] : [])));
  const room = (u) => u.bbox.width / devicePixelRatio / (bars.length + 0.2) / LETTER_WIDTH;
  return {
    splits: () => places.map((of) => (of[0] + of.at(-1)) / 2),
    values: (u) => names.map((name, number) => cutShort(name, Math.floor(room(u) * places[number].length))),
  };
}
