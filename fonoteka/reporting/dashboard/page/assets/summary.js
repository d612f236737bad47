
"use strict";
// The models of the task: rates of the reports beside rates of the filtered clips, and two compared.

function showSummary() {
  const [task, norm] = [currentTask(), state.norm];
  const characters = Boolean(task.characters);
  const columns = [column("Model"), column(`${task.rate}, report`, true), column("95 % interval", true),
    column("Report"), column(`${task.rate}, filtered clips`, true)];
  if (characters) columns.push(column("CER, filtered clips", true));
  columns.push(column("Clips", true), column(task.unit + "s", true));
  const rows = task.models.map((model) => {
    const reported = model.report?.rate?.[norm];
    const filtered = filteredRate(task, norm, model);
    const cells = [modelCell(model), percent(reported?.value), interval(reported?.low, reported?.high),
      isolated(model.report?.file ?? "–"), percent(filtered.rate)];
    if (characters) cells.push(percent(filtered.characterRate));
    cells.push(plain(filtered.clips), plain(filtered.units));
    return cells;
  });
  const result = table("", columns, rows);
  task.models.forEach((model, index) => {
    result.tBodies[0].rows[index].classList.toggle("current", model === currentModel());
    result.tBodies[0].rows[index].dataset.model = printable(model.name);
  });
  keepFocus(element("summary"), () => element("summary").replaceChildren(result));
  element("summary-note").textContent = "Rates and intervals of reports are copied from them. Rates of the filtered " +
    "clips are computed in this page from the counts per clip, over clips that the model decoded and that have a " +
    "reference; they have no interval.";
}

function modelCell(model) {
  const role = model.name === state.model ? " (model)" : model.name === state.second ? " (second)" : "";
  const id = "model-" + currentTask().models.indexOf(model);
  return make("span", {}, link(model.name, () => chooseModel(model.name), { id }), role);
}

function chooseModel(name) {
  update({ model: name, second: state.second === name ? NONE : state.second, confusion: null, page: 1 });
}

function showComparison() {
  const [task, norm, second] = [currentTask(), state.norm, currentSecond()];
  const pairs = (task.pairs ?? []).filter((pair) => pair.normalisation === norm);
  const children = [make("h3", {}, "Two models compared")];
  if (second) {
    const names = [state.model, state.second];
    const pair = pairs.find(({ a, b }) => names.includes(a) && names.includes(b));
    if (pair) children.push(scrolling("Paired difference", {}, pairsTable([pair])));
    else children.push(make("p", {}, "The reports do not compare these two models."));
    children.push(pairCounts(task, norm, second));
  } else {
    children.push(make("p", { class: "note" }, "Choose a second model to see both side by side."));
  }
  if (pairs.length) {
    children.push(tableDetails("All paired differences of the reports", pairsTable(pairs)));
  }
  element("comparison").replaceChildren(...children);
}

function pairsTable(pairs) {
  // A report has each pair in one order, which need not be that of the chosen models.
  const caption = "Rate of the model before the minus sign less that of the one after it, in percentage points (pp); " +
    "below 0 the model before the sign is better";
  const columns = [column("Models"), column("Difference", true), column("95 % interval", true),
    column("Draws in which it is better", true), column("Report")];
  return table(caption, columns, pairs.map(({ a, b, difference, low, high, better_draws: draws, file }) => [
    isolated(`${a} − ${b}`), points(difference), interval(low, high, points), percent(draws), isolated(file)]));
}

function pairCounts(task, norm, second) {
  const { clips: count, units, errors, better, equal } = filteredPair(task, norm, currentModel(), second);
  const difference = units ? (errors[0] - errors[1]) / units : NaN;
  return make("p", { id: "pair-counts" }, `Filtered clips that both decoded: ${whole(count)}; difference `,
    points(difference), " (", isolated(`${state.model} − ${state.second}`),
    ", percentage points), computed in this page. ", isolated(state.model), ` is better in ${whole(better[0])}, `,
    isolated(state.second), ` in ${whole(better[1])}, and ${whole(equal)} are equal.`);
}
