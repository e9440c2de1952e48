// A line with its confidence band; without a number there is a gap, never a zero.

import { draw } from "./dom.js";
import { isShown } from "./figures.js";

const HEIGHT = 300;
const TOP = 12;
const BOTTOM = 34;
const RIGHT = 14;
const LETTER = 7.5;
const TICKS = 5;

// Round steps (1, 2 or 5 times a power of ten) from at or below the lowest to at or above the highest.
export function ticksOf(lowest, highest, wanted = TICKS) {
  const span = highest - lowest || Math.abs(highest) || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((each) => each >= rough * (1 - 1e-9));
  const first = Math.floor(lowest / step + 1e-9);
  const last = Math.max(Math.ceil(highest / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
}

// Runs of neighbouring periods that have a number.
export function runsOf(points) {
  const runs = [];
  points.forEach((point, place) => {
    if (!isShown(point)) return;
    if (place === 0 || !isShown(points[place - 1])) runs.push([]);
    runs.at(-1).push(place);
  });
  return runs;
}

const pathOf = (spots) => spots.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function axis(ticks, unit, write, left, width, y) {
  return ticks.flatMap((tick) => [
    draw("line", { class: tick === 0 ? "zero" : "grid", x1: left, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
    draw("text", { class: "tick", x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, write.tick(tick, unit)),
  ]);
}

function dates(points, write, x, width, left) {
  const fits = Math.max(1, Math.floor((width - left - RIGHT) / (9 * LETTER)));
  const every = Math.ceil(points.length / fits);
  // From the newest on, which users look for first.
  return points.flatMap((point, place) =>
    (points.length - 1 - place) % every
      ? []
      : [draw("text", { class: "tick", x: Math.min(x(place), width - RIGHT - 3 * LETTER), y: HEIGHT - 10, "text-anchor": "middle" }, write.shortDay(point.starts_on))],
  );
}

export function chart(points, unit, { title, write, width }) {
  const shown = points.filter(isShown);
  const values = shown.flatMap((point) => [point.ci95_low, point.ci95_high, point.estimate]);
  const ticks = ticksOf(Math.min(0, ...values), Math.max(...(values.length ? values : [1]), 0));
  const labels = ticks.map((tick) => write.tick(tick, unit).length);
  const left = Math.max(...labels) * LETTER + 16;
  const column = (width - left - RIGHT) / Math.max(points.length, 1);
  const x = (place) => left + column * (place + 0.5);
  const [lowest, highest] = [ticks[0], ticks.at(-1)];
  const y = (value) => TOP + ((highest - value) / (highest - lowest)) * (HEIGHT - TOP - BOTTOM);

  const gaps = points.flatMap((point, place) =>
    isShown(point) ? [] : [draw("rect", { class: "gap", x: x(place) - column / 2, y: TOP, width: column, height: HEIGHT - TOP - BOTTOM })],
  );
  const runs = runsOf(points).flatMap((run) => {
    const spot = (place, name) => [x(place), y(points[place][name])];
    if (run.length === 1) {
      const [[at, low], [, high]] = [spot(run[0], "ci95_low"), spot(run[0], "ci95_high")];
      return [draw("line", { class: "bar", x1: at, x2: at, y1: low, y2: high })];
    }
    const outline = [...run.map((place) => spot(place, "ci95_high")), ...run.toReversed().map((place) => spot(place, "ci95_low"))];
    return [
      draw("path", { class: "band", d: `${pathOf(outline)}Z` }),
      draw("path", { class: "line", d: pathOf(run.map((place) => spot(place, "estimate"))) }),
    ];
  });
  const dots = points.flatMap((point, place) =>
    isShown(point) ? [draw("circle", { class: `dot dot-${point.status}`, cx: x(place), cy: y(point.estimate), r: 4 })] : [],
  );
  const hints = points.map((point, place) =>
    draw(
      "rect",
      { class: "hint", x: x(place) - column / 2, y: TOP, width: column, height: HEIGHT - TOP - BOTTOM },
      draw("title", {}, `${write.period(point)}: ${write.about(point, unit)}`),
    ),
  );
  return draw(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": title },
    ...gaps,
    ...axis(ticks, unit, write, left, width, y),
    ...runs,
    ...dots,
    ...dates(points, write, x, width, left),
    ...hints,
  );
}
