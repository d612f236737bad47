
"use strict";
// Charts as SVG. Each has a table beside it, so the drawing itself is one picture with a name.

const PLOT = { width: 440, height: 256, left: 56, right: 12, top: 26, bottom: 40 };
const SMALL = { width: 260, height: 166, left: 48, right: 8, top: 24, bottom: 36 };
const LONGEST_LABELS = 8; // bars with more labels than this show every n-th

// About five round values between two ends: steps of 1, 2 or 5 times a power of ten.
function ticks(low, high, count = 5) {
  const span = high - low || 1;
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= count);
  const result = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-6; index++) {
    result.push(Number((index * step).toPrecision(12)));
  }
  return result;
}

function scale(low, high, start, end) {
  return (value) => start + ((value - low) / (high - low || 1)) * (end - start);
}

// A frame with axes; `x` and `y` have the ends and a title. Returns the drawing and its two scales.
function frame(name, x, y, { width, height, left, right, top, bottom } = PLOT) {
  const toX = scale(x.low, x.high, left, width - right);
  const toY = scale(y.low, y.high, height - bottom, top);
  const svg = draw("svg", { role: "img", "aria-label": name, width, height, viewBox: `0 0 ${width} ${height}` });
  for (const value of ticks(y.low, y.high, height < 200 ? 3 : 5)) {
    svg.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: toY(value), y2: toY(value) }),
      draw("text", { class: "dim", x: left - 6, y: toY(value) + 4, "text-anchor": "end" }, String(value)));
  }
  for (const value of x.ticks ?? ticks(x.low, x.high, width < 300 ? 4 : 5)) {
    svg.append(draw("text", { class: "dim", x: toX(value), y: height - bottom + 16, "text-anchor": "middle" },
      String(value)));
  }
  svg.append(draw("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }),
    draw("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x.title),
    draw("text", { x: 4, y: 13 }, y.title));
  return { svg, toX, toY };
}

const CLASSES = ["first", "second"];

function legend(names) {
  return make("p", { class: "note" }, names.map((name, index) =>
    make("span", {}, make("span", { class: "key " + CLASSES[index], "aria-hidden": "true" }), isolated(name), " ")));
}

// Lines over steps; each series has a name, steps and values.
function lineChart(name, series, xTitle) {
  const steps = series.flatMap((one) => one.steps);
  const values = series.flatMap((one) => one.values).filter((value) => !missing(value));
  if (!values.length) return make("p", { class: "note" }, "There are no values.");
  const low = Math.min(0, ...values);
  const { svg, toX, toY } = frame(name, { low: Math.min(...steps), high: Math.max(...steps), title: xTitle },
    { low, high: Math.max(...values), title: name });
  series.forEach((one, index) => {
    const points = one.steps.map((step, place) => [step, one.values[place]])
      .filter(([, value]) => !missing(value))
      .map(([step, value]) => `${toX(step).toFixed(1)},${toY(value).toFixed(1)}`);
    svg.append(draw("polyline", { class: CLASSES[index], points: points.join(" ") }));
  });
  return svg;
}

// Bars of counts between edges or over labels; one drawing per row of counts.
function barChart(name, heights, { edges, names, title, height }) {
  const count = heights.length;
  const low = edges ? edges[0] : 0;
  const high = edges ? edges[count] : count;
  const { svg, toX, toY } = frame(name, { low, high, title, ticks: edges ? undefined : [] },
    { low: 0, high: Math.max(...heights) || 1, title: height }, SMALL);
  const every = Math.ceil(count / LONGEST_LABELS);
  heights.forEach((value, index) => {
    const [start, end] = edges ? [toX(edges[index]), toX(edges[index + 1])] : [toX(index + 0.1), toX(index + 0.9)];
    svg.append(draw("rect", { class: "first", x: start + 0.5, width: Math.max(end - start - 1, 0.5), y: toY(value),
      height: toY(0) - toY(value) }));
    if (names && index % every === 0) {
      svg.append(draw("text", { class: "dim", x: (start + end) / 2, y: SMALL.height - SMALL.bottom + 16,
        "text-anchor": "middle" }, names[index]));
    }
  });
  return svg;
}

// Accuracy over confidence: points on the diagonal are calibrated; the area of a point is its count.
function reliabilityChart(name, series) {
  const { svg, toX, toY } = frame(name, { low: 0, high: 1, title: "confidence" }, { low: 0, high: 1, title: "accuracy" });
  svg.append(draw("line", { class: "axis", x1: toX(0), y1: toY(0), x2: toX(1), y2: toY(1) }));
  series.forEach(({ bins }, index) => {
    const counted = bins.filter((bin) => bin.count > 0 && !missing(bin.confidence) && !missing(bin.accuracy));
    const most = Math.max(...counted.map((bin) => bin.count));
    const points = counted.map((bin) => `${toX(bin.confidence).toFixed(1)},${toY(bin.accuracy).toFixed(1)}`);
    svg.append(draw("polyline", { class: CLASSES[index], points: points.join(" ") }));
    for (const bin of counted) {
      svg.append(draw("circle", { class: "dot " + CLASSES[index], cx: toX(bin.confidence), cy: toY(bin.accuracy),
        r: 2 + 6 * Math.sqrt(bin.count / most) }));
    }
  });
  return svg;
}

// One rate with its interval as a small bar; beside the numbers, so it is hidden from readers of text.
function rateBar(rows, most) {
  const [width, height] = [160, 14];
  const toX = scale(0, most, 0, width - 2);
  const svg = draw("svg", { "aria-hidden": "true", width, height: height * rows.length });
  rows.forEach((row, index) => {
    if (!row || missing(row.rate)) return;
    const middle = index * height + height / 2;
    svg.append(draw("rect", { class: CLASSES[index], x: 0, y: middle - 4, width: toX(row.rate), height: 8,
      "fill-opacity": index ? 0.35 : 0.85 }));
    if (missing(row.low) || missing(row.high)) return;
    const [low, high] = [toX(row.low), toX(row.high)];
    svg.append(draw("path", { class: "interval", d: `M${low} ${middle - 4}v8m0 -4H${high}m0 -4v8`, fill: "none" }));
  });
  return svg;
}
