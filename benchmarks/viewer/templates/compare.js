// Two episodes of one task side by side: which cells each got right, and why the other did not.

const MARKS = { right: "✓", unread: "○", unreported: "◐", dropped: "◑", wrong: "✗", extra: "+" };

// `state` holds cell "gold row.column"; the two views keep their own turns.
function drawComparison(holder, episodes, names, state = {}, onState = () => {}) {
  const views = episodes.map((episode) => new EpisodeView(episode));
  const show = (r, c) => {
    for (const [key, button] of buttons) button.setAttribute("aria-pressed", key === `${r}.${c}`);
    for (const view of views) {
      const row = view.episode.table?.rows.findIndex((each) => each.gold === r) ?? -1;
      if (row >= 0) view.showCell(row, c, false);
    }
  };
  const buttons = new Map();
  const both = (part) => el("div", { class: "two" }, ...views.map((view, i) =>
    el("div", { class: "column" }, el("div", { class: "side" }, names[i]), part(view, i))));
  const parts = [el("section", { class: "panel question", "aria-label": "Question" }, el("p", {}, episodes[0].question)),
    both((view) => view.facts()), mergedTable(views, names, buttons, (r, c) => { onState({ cell: `${r}.${c}` }); show(r, c); }),
    both((view) => view.path), both((view) => view.lanes), both((view) => view.turn)];
  holder.replaceChildren(...parts);
  holder.querySelectorAll(".two .question > p").forEach((question) => question.remove()); // it stands above
  for (const view of views) view.draw();
  if (state.cell) show(...state.cell.split(".").map(Number));
  return views;
}

function mergedTable(views, names, buttons, choose) {
  const tables = views.map((view) => view.episode.table);
  const panel = el("section", { class: "panel", "aria-label": "Both tables" }, el("h3", {}, "Cell by cell"));
  if (tables.some((table) => table === null)) {
    panel.append(el("p", { class: "note" }, "One of the two is invalid, so there is nothing to compare."));
    return panel;
  }
  const rowOf = tables.map((table) => new Map(table.rows.filter((row) => row.gold !== null).map((row) => [row.gold, row])));
  const golds = [...rowOf[0].keys()];
  const tally = { both: 0, first: 0, second: 0, none: 0 };
  const body = golds.map((gold) => el("tr", {}, el("th", { scope: "row" }, String(gold + 1)), ...tables[0].columns.map((_, c) => {
    const cells = rowOf.map((rows) => rows.get(gold)?.cells[c]);
    const right = cells.map((cell) => cell?.fate === "right");
    tally[right[0] ? (right[1] ? "both" : "first") : right[1] ? "second" : "none"] += 1;
    return mergedCell(cells, right, names, buttons, `${gold}.${c}`, () => choose(gold, c));
  })));
  const head = el("tr", {}, el("th", { scope: "col" }, "#"), ...tables[0].columns.map((name) => el("th", { scope: "col" }, name)));
  const extra = tables.map((table) => table.rows.length - golds.length);
  panel.append(
    el("div", { class: "facts" }, ...[["right in both", tally.both], [`in ${names[0]} alone`, tally.first], [`in ${names[1]} alone`, tally.second],
      ["in neither", tally.none], ["rows nobody asked for", extra.join(" and ")]].map(([name, value]) => el("span", {}, `${name} `, el("b", {}, String(value))))),
    el("div", { class: "legend" }, ...Object.entries(FATES).filter(([fate]) => fate !== "extra").map(([fate, name]) => el("span", {}, `${MARKS[fate]} ${name}`))),
    el("div", { class: "scroll" }, el("table", { class: "cells" }, el("thead", {}, head), el("tbody", {}, ...body))));
  return panel;
}

function mergedCell(cells, right, names, buttons, key, choose) {
  const kind = right[0] === right[1] ? (right[0] ? "right" : "unread") : "differs";
  const marks = cells.map((cell, i) => el("small", { title: `${names[i]}: ${cell?.reason ?? ""}` },
    `${MARKS[cell?.fate] ?? "○"} ${cell?.fate === "right" ? "" : cell?.text || FATES[cell?.fate] || ""}`));
  const button = el("button", { type: "button", class: `cell fate-${kind}`, onclick: choose },
    el("span", {}, cells[0]?.gold || "nothing"), el("span", { class: "marks" }, ...marks));
  buttons.set(key, button);
  return el("td", {}, button);
}
