
"use strict";
// Sections that show reports as they are: groups, reliability, curves, further numbers, the corpus.

const GROUP_ORDER = ["language", "sex", "source", "length", "speaker"];
const PART_ORDER = ["train", "valid", "test"];
const LENGTH = /^(\d+)-(\d*)$/;

const chosenModels = () => [currentModel(), currentSecond()].filter((model) => model);

function inOrder(names, order) {
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...names].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}

function fill(id, children, empty) {
  const content = children.length ? children : [make("p", { class: "note" }, empty)];
  element(id).replaceChildren(...content);
}

function showGroups() {
  const models = chosenModels();
  const all = models.map((model) => model.report?.by?.[state.norm] ?? {});
  const names = inOrder(new Set(all.flatMap((groups) => Object.keys(groups))), GROUP_ORDER);
  const cards = names.filter((name) => all[0][name]?.length).map((name) => groupCard(name, models, all));
  if (cards.length && models.length > 1) cards.unshift(legend(models.map((model) => model.name)));
  fill("groups", cards, "The reports have no rates by group.");
}

function groupCard(name, models, all) {
  const rows = all[0][name];
  const others = new Map((all[1]?.[name] ?? []).map((row) => [row.value, row]));
  const pairs = rows.map((row) => (models.length > 1 ? [row, others.get(row.value)] : [row]));
  const most = Math.max(...pairs.flat().map((row) => row?.high ?? row?.rate ?? 0)) || 1;
  const columns = [column(name[0].toUpperCase() + name.slice(1))];
  // Models can have decoded different clips, so each has its own number of units.
  for (const model of models) {
    columns.push(column(currentTask().unit + "s", true), column(isolated(model.name), true), column("95 % interval", true));
  }
  columns.push(column(""));
  const body = pairs.map((pair) => [groupButton(name, pair[0].value),
    ...pair.flatMap((row) => [plain(row?.units), percent(row?.rate), interval(row?.low, row?.high)]), rateBar(pair, most)]);
  const both = pairs.flat().filter((row) => row);
  const title = `${currentTask().rate} by ${name}`;
  const notes = [title + "."];
  if (both.some((row) => row.computed?.length)) {
    notes.push("Values that the report lacks were computed with the same bootstrap over speakers.");
  }
  if (both.some((row) => !missing(row.rate) && missing(row.low))) {
    notes.push("A group of one speaker has no interval over speakers.");
  }
  if (pairs.some(([row, other]) => other && row.units !== other.units)) {
    notes.push("The two models decoded different clips.");
  }
  return scrolling(title, { "data-group": name }, table(notes.join(" "), columns, body));
}

function groupButton(name, value) {
  if (GROUPS.includes(name) && clips[name].values.includes(value)) {
    return link(value || "unknown", () => showGroup({ [name]: value }));
  }
  const length = name === "length" && LENGTH.exec(value);
  if (!length) return isolated(value || "unknown");
  return link(value, () => showGroup({ units: [Number(length[1]), length[2] ? Number(length[2]) : null] }));
}

function showGroup(changes) {
  update({ ...changes, page: 1 });
  element("list-heading").focus({ preventScroll: true });
  element("list-heading").scrollIntoView({ block: "start" });
}

function showReliability() {
  const models = chosenModels().filter((model) => model.report?.reliability?.length);
  if (!models.length) {
    fill("reliability", [], "The reports have no reliability of this model.");
    return;
  }
  const series = models.map((model) => ({ name: model.name, bins: model.report.reliability }));
  const columns = ["Confidence from", "to", "Mean confidence", "Accuracy", "Count"].map((label) => column(label, true));
  const parts = [make("div", {}, legend(models.map((model) => model.name)),
    reliabilityChart("Reliability: accuracy over confidence", series))];
  for (const { name, bins } of series) {
    const { ece, file } = modelNamed(currentTask(), name).report;
    const rows = bins.map((bin) => [bin.low, bin.high, bin.confidence, bin.accuracy, bin.count].map(plain));
    parts.push(make("div", {}, make("p", {}, isolated(name), ": expected calibration error ", percent(ece), ", ",
      isolated(file)), tableDetails(`Reliability of ${name} as a table`, table("", columns, rows))));
  }
  fill("reliability", parts, "");
}

function showCurves() {
  const models = chosenModels();
  const names = new Set(models.flatMap((model) => (model.curves ?? []).map((curve) => curve.name)));
  const cards = [...names].sort().map((name) => {
    const curves = models.map((model) => (model.curves ?? []).find((curve) => curve.name === name) ??
      { steps: [], values: [] });
    const columns = [column("Step", true), ...models.map((model) => column(isolated(model.name), true))];
    const steps = [...new Set(curves.flatMap((curve) => curve.steps))].sort((a, b) => a - b);
    const values = curves.map((curve) => new Map(curve.steps.map((step, index) => [step, curve.values[index]])));
    const rows = steps.map((step) => [plain(step), ...values.map((value) => plain(value.get(step)))]);
    const unit = curves.find((curve) => curve.step)?.step ?? "step";
    return make("div", { "data-curve": name }, make("h3", {}, isolated(name)), legend(models.map((model) => model.name)),
      lineChart(name, curves, unit), tableDetails(`${name} as a table`, table("", columns, rows)));
  });
  fill("curves", cards, "There are no training curves of this model.");
}

function showFurther() {
  const cards = chosenModels().filter((model) => model.report?.extra?.length).map((model) => {
    const rows = model.report.extra.map(([name, value, low, high, key]) => [isolated(name), plain(value),
      missing(low) ? "–" : make("span", {}, plain(low), " to ", plain(high)), isolated(key ?? "")]);
    const columns = [column("Number"), column("Value", true), column("95 % interval", true), column("Key")];
    return scrolling(`Further numbers of ${model.name}`, {}, table(
      `${model.name}, ${model.report.file}; rates and shares are fractions of 1`, columns, rows));
  });
  fill("further", cards, "The reports have no further numbers of this model.");
}

function showCorpus() {
  const corpus = doc.corpus ?? {};
  const tables = (corpus.tables ?? []).map(({ name, columns, rows }) => scrolling(name, {}, table(name,
    columns.map((label, index) => column(label, index > 0)),
    rows.map((row) => row.map((value, index) => (index ? plain(value) : isolated(value ?? "–")))))));
  const charts = [...(corpus.histograms ?? []), ...(corpus.bars ?? [])].map(corpusChart);
  if (corpus.file) tables.unshift(make("p", { class: "note" }, "From ", isolated(corpus.file)));
  fill("corpus", [...tables, ...charts], "The document has no numbers of the corpus.");
}

function corpusChart({ name, unit, edges, labels: names, label: barTitle, counts }) {
  const parts = inOrder(Object.keys(counts), PART_ORDER);
  const rowName = (index) => (names ? names[index] : `${edges[index]} to ${edges[index + 1]}`);
  const rows = counts[parts[0]].map((_, index) => [isolated(rowName(index)),
    ...parts.map((part) => plain(counts[part][index]))]);
  const columns = [column(barTitle || unit || name), ...parts.map((part) => column(part, true))];
  const charts = parts.map((part) => make("div", {}, make("p", { class: "note" }, isolated(part)),
    barChart(`${name}, ${part}`, counts[part], names ? { names, title: barTitle, height: name } :
      { edges, title: unit || name, height: "clips" })));
  return make("div", {}, make("h3", {}, isolated(name)), make("div", { class: "cards" }, charts),
    tableDetails(`${name} as a table`, table("", columns, rows)));
}
