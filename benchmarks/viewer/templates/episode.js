// One episode: a lane for each agent, a box for each turn, the turn's texts, the final table, and
// the path of the cell that was chosen.

const LANE = 34, LABEL = 104, BOX = 20;
const TOOLS = ["search", "open", "delegate", "report", "fold", "answer"];
const FATES = {
  right: "right",
  unread: "never read",
  unreported: "not reported",
  dropped: "dropped",
  wrong: "wrong value",
  extra: "not asked for",
};

// `state` holds what is chosen: turn "t.u", cell "row.column", axis; `onState` is told of changes.
class EpisodeView {
  constructor(episode, state = {}, onState = () => {}) {
    this.episode = episode;
    this.state = state;
    this.onState = onState;
    this.boxes = new Map();
    this.cells = new Map();
    this.turn = el("section", { class: "panel turn-panel", "aria-label": "Turn" });
    this.path = el("section", { class: "panel path", "aria-label": "Path of the cell", "aria-live": "polite", hidden: "" });
    this.lanes = el("section", { class: "panel", "aria-label": "Turns in time" });
    this.axis = state.axis ?? (episode.seconds >= 1 ? "seconds" : "turns");
  }

  // Draws all parts into a page that is laid out, as lanes are as wide as their place.
  draw() {
    this.drawLanes();
    const [row, column] = (this.state.cell ?? "").split(".").map(Number);
    const [t, u] = (this.state.turn ?? "0.0").split(".").map(Number);
    if (this.episode.table?.rows[row]?.cells[column]) this.showCell(row, column, false);
    if (this.state.turn || !this.state.cell) {
      if (this.episode.trajectories[t]?.turns[u]) this.showTurn(t, u, null, false);
      else this.turn.replaceChildren("No turn was taken.");
    }
  }

  set(changes) {
    Object.assign(this.state, changes);
    this.onState(changes);
  }

  // --- question and figures ---------------------------------------------------------------------

  facts(...more) {
    const e = this.episode;
    const number = (value) => (value === null ? "none" : value.toFixed(3));
    const pairs = [
      ["item F1", number(e.item_f1)], ["row F1", number(e.row_f1)], ["ended", e.end],
      ["turns", e.num_turns], ["tool calls", e.num_tool_calls],
      ["characters read", e.chars_read.toLocaleString("en")],
      ["critical path", `${e.critical_path_turns} turns`], ["seconds", e.seconds.toFixed(2)],
      ...Object.entries(e.reward_terms).map(([name, value]) => [`reward: ${name}`, value.toFixed(3)]),
    ];
    const panel = el("section", { class: "panel question", "aria-label": "Question" }, el("p", {}, e.question),
      el("div", { class: "facts" }, ...pairs.map(([name, value]) =>
        el("span", {}, `${name} `, el("b", {}, String(value))))), ...more);
    if (e.error) panel.append(el("p", { class: "label warn" }, "Invalid, so in no mean:"), el("pre", { tabindex: 0 }, e.error));
    return panel;
  }

  // --- lanes ------------------------------------------------------------------------------------

  // Returns [begin, end] of a turn on the axis: a rank on the longest chain of turns, or seconds.
  span(turn) {
    return this.axis === "turns" ? [turn.level, turn.level + 1] : [turn.started, turn.ended];
  }

  drawLanes() {
    const trajectories = this.episode.trajectories;
    const agents = [...new Set(trajectories.map((trajectory) => trajectory.agent))];
    const all = trajectories.flatMap((trajectory) => trajectory.turns.map((turn) => this.span(turn)));
    const end = Math.max(...all.map((both) => both[1]), 1e-6);
    const width = Math.max(560, (this.lanes.clientWidth || 700) - 40);
    const wide = this.axis === "turns" ? Math.max(width, LABEL + end * 24) : width;
    const x = (value) => LABEL + (value / end) * (wide - LABEL - 12);
    const y = (agent) => 26 + agents.indexOf(agent) * LANE;
    const root = svg("svg", { width: wide, height: 30 + agents.length * LANE, role: "group", "aria-label": "Turns of all agents" });
    for (const agent of agents) {
      root.append(svg("line", { class: "lane", x1: LABEL, x2: wide - 8, y1: y(agent) + BOX / 2, y2: y(agent) + BOX / 2 }));
      root.append(svg("text", { class: "name", x: 0, y: y(agent) + 14 }, agent));
    }
    this.drawAxis(root, end, x);
    this.drawLinks(root, x, y);
    this.boxes.clear();
    trajectories.forEach((trajectory, t) => trajectory.turns.forEach((turn, u) =>
      root.append(this.turnBox(t, u, x, y(trajectory.agent)))));
    this.lanes.replaceChildren(el("div", { class: "lanes", tabindex: 0, role: "group", "aria-label": "Lanes" }, root), this.legend());
    this.markTurn();
  }

  drawAxis(root, end, x) {
    const step = [0.001, 0.01, 0.1, 1, 2, 5, 10, 20, 50, 100, 200, 500].find((size) => end / size <= 14) ?? 1000;
    for (let value = 0; value <= end; value += step) {
      const at = this.axis === "turns" ? value + 0.5 : value;
      if (at > end) break;
      const text = this.axis === "turns" ? `${value + 1}` : `${Number(value.toFixed(3))} s`;
      root.append(svg("text", { x: x(at), y: 12, "text-anchor": value === 0 && this.axis !== "turns" ? "start" : "middle" }, text));
    }
  }

  // Thin curves from the turn that delegated to the first turn of the subtask, and from its last
  // turn to the turn that read the report.
  drawLinks(root, x, y) {
    const trajectories = this.episode.trajectories;
    const curve = (from, to) => root.append(svg("path", { class: "link",
      d: `M${from[0]},${from[1]} C${from[0] + 14},${from[1]} ${to[0] - 14},${to[1]} ${to[0]},${to[1]}` }));
    for (const trajectory of trajectories) {
      const parent = trajectories[trajectory.parent];
      if (!parent || trajectory.turns.length === 0) continue;
      const middle = y(trajectory.agent) + BOX / 2, top = y(parent.agent) + BOX / 2;
      const begun = parent.turns[trajectory.parent_turn], read = parent.turns[trajectory.read_in];
      const from = begun && (this.axis === "turns" ? begun.level + 1 : begun.decided);
      if (begun) curve([x(from), top + 8], [x(this.span(trajectory.turns[0])[0]), middle]);
      if (read) curve([x(this.span(trajectory.turns.at(-1))[1]), middle], [x(this.span(read)[0]), top + 8]);
    }
  }

  // A turn's box has one stripe for each of its calls, in the colour of the tool.
  turnBox(t, u, x, top) {
    const trajectory = this.episode.trajectories[t], turn = trajectory.turns[u];
    const [from, to] = this.span(turn).map(x);
    // Who waits for reports holds its turn open; its box ends where it decided.
    const waits = turn.results.some((result) => result.reporter !== null);
    const until = this.axis === "seconds" && waits ? Math.min(to, x(turn.decided)) : to;
    const width = Math.max(until - from - 2, 3);
    const names = turn.calls.length ? turn.calls.map((call) => call.name) : ["other"];
    const title = `${trajectory.agent}, turn ${u + 1}: ${names.join(", ")}`;
    const show = () => this.showTurn(t, u);
    const box = svg("g", { class: "turn", tabindex: 0, role: "button", "aria-label": title, onclick: show,
      onkeydown: (event) => event.key === "Enter" && show() }, svg("title", {}, title));
    names.forEach((name, i) => {
      const refused = turn.calls[i]?.status === "wrong" || turn.error;
      box.append(svg("rect", { class: `tool-${TOOLS.includes(name) ? name : "other"}`, x: from + 1 + (i * width) / names.length,
        y: top, rx: 2, height: BOX, width: Math.max(width / names.length - (names.length > 1 ? 0.8 : 0), 1), opacity: refused ? 0.35 : 1 }));
    });
    box.append(svg("rect", { class: "frame", x: from - 1, y: top - 2, width: width + 4, height: BOX + 4, rx: 4 }));
    this.boxes.set(`${t}.${u}`, box);
    return box;
  }

  legend() {
    const other = this.axis === "turns" ? "seconds" : "turns";
    return el("div", { class: "legend" },
      ...[...TOOLS, "other"].map((name) =>
        el("span", {}, el("i", { class: `tool-${name}` }), name === "other" ? "other, or no call" : name)),
      el("span", {}, "pale: refused"),
      el("span", {}, this.axis === "turns" ? "axis: turns that wait for one another" : "axis: wall time"),
      el("button", { type: "button", class: "small", onclick: () => {
        this.axis = other;
        this.set({ axis: other });
        this.drawLanes();
      } }, `show ${other}`));
  }

  // --- one turn ---------------------------------------------------------------------------------

  step(by) {
    const order = this.episode.trajectories.flatMap((other, t) => other.turns.map((_, u) => `${t}.${u}`));
    const next = order[order.indexOf(this.shown) + by];
    if (next) this.showTurn(...next.split(".").map(Number));
  }

  markTurn() {
    for (const [key, box] of this.boxes) box.classList.toggle("on", key === this.shown);
  }

  // `mark` is [result, line] of what is to be found in it.
  showTurn(t, u, mark = null, tell = true) {
    const trajectory = this.episode.trajectories[t], turn = trajectory.turns[u];
    this.shown = `${t}.${u}`;
    this.markTurn();
    if (tell) this.set({ turn: this.shown });
    const parts = [el("div", { class: "step" },
      el("h3", {}, `${trajectory.agent}, turn ${u + 1} of ${trajectory.turns.length}`),
      el("button", { type: "button", class: "small", onclick: () => this.step(-1) }, "← back"),
      el("button", { type: "button", class: "small", onclick: () => this.step(1) }, "next →"),
      el("span", { class: "label" }, `${turn.started.toFixed(3)} s to ${turn.ended.toFixed(3)} s; ` +
        `the ${trajectory.parent === null ? "task" : "subtask"} ended: ${trajectory.end}`))];
    const usage = Object.entries(turn.usage).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
    if (usage.length) parts.push(el("div", { class: "label" }, usage.join(" · ")));
    if (u === 0) parts.push(el("div", { class: "label" }, trajectory.parent === null ? "Question" : "Subtask"), text(trajectory.prompt));
    if (turn.text) parts.push(el("div", { class: "label" }, "Written by the model"), text(turn.text));
    if (turn.error) parts.push(el("div", { class: "label warn" }, `Could not be read: ${turn.error}`));
    const line = (entry) => (mark && mark[0] === entry.at ? mark[1] : null);
    for (const call of turn.calls) {
      parts.push(el("div", { class: "label" }, el("b", {}, call.name), call.status === "ok" ? " " : ` (${call.status}) `,
        el("span", { class: "arguments" }, call.arguments)));
      if (call.text !== null) parts.push(text(call.text, line(call)));
    }
    for (const result of turn.results) {
      const from = result.reporter === null ? null : this.episode.trajectories[result.reporter]?.agent;
      const what = (from ? `Then came word from ${from}` : "Then came") + (result.status === "ok" ? "" : ` (${result.status})`);
      parts.push(el("div", { class: "label" }, what), text(result.text, line(result)));
    }
    if (turn.calls.length === 0 && !turn.text) parts.push(el("div", { class: "label" }, "No call: waits."));
    this.turn.replaceChildren(...parts);
    const marked = this.turn.querySelector("mark");
    if (marked) {
      const pre = marked.closest("pre");
      pre.scrollTop = marked.offsetTop - pre.offsetTop - 60;
      this.turn.scrollTop = pre.offsetTop - this.turn.offsetTop - 60;
    } else this.turn.scrollTop = 0;
  }

  // --- the table --------------------------------------------------------------------------------

  table() {
    const { table, answer } = this.episode;
    const panel = el("section", { class: "panel table-panel", "aria-label": "Final table" }, el("h3", {}, "Final table"));
    if (table === null) panel.append(el("p", { class: "note" }, "The episode is invalid, so its cells are not judged."));
    else {
      const rows = table.rows.filter((row) => row.gold !== null).length;
      const found = table.rows.filter((row) => row.gold !== null && row.answer !== null).length;
      panel.append(el("p", { class: "note" }, `${found} of ${rows} rows found, ${table.rows.length - rows} that nobody asked for. ` +
        "Choose a cell to see where it was read, and where it was lost."), this.counts(table.counts));
      const head = el("tr", {}, el("th", { scope: "col" }, "#"), ...table.columns.map((name) => el("th", { scope: "col" }, name)));
      const body = table.rows.map((row, r) => el("tr", {}, el("th", { scope: "row" }, row.gold === null ? "+" : String(row.gold + 1)),
        ...row.cells.map((cell, c) => this.cell(cell, r, c))));
      panel.append(el("div", { class: "scroll" }, el("table", { class: "cells" }, el("thead", {}, head), el("tbody", {}, ...body))));
    }
    if (answer === null) panel.append(el("p", { class: "note" }, "No answer was handed in."));
    else panel.append(el("details", {}, el("summary", { class: "label" }, "The answer as it was handed in"), text(answer)));
    return panel;
  }

  counts(counts) {
    return el("div", { class: "legend" }, ...Object.keys(FATES).filter((fate) => counts[fate]).map((fate) =>
      el("span", {}, el("i", { class: `fate-${fate}` }), counted(counts[fate], fate))));
  }

  cell(cell, r, c) {
    const button = el("button", { type: "button", class: `cell fate-${cell.fate}`, title: cell.reason, onclick: () => this.showCell(r, c) },
      el("span", {}, cell.text || "—"), ...cellNotes(cell, this.episode).map((note) => el("small", {}, note)));
    this.cells.set(`${r}.${c}`, button);
    return el("td", {}, button);
  }

  // --- the path of a cell -----------------------------------------------------------------------

  showCell(r, c, tell = true) {
    const cell = this.episode.table.rows[r].cells[c];
    for (const [key, button] of this.cells) button.setAttribute("aria-pressed", key === `${r}.${c}`);
    const name = this.episode.table.columns[c];
    const key = this.episode.table.rows[r].cells[this.episode.table.keys[0] ?? 0];
    const facts = [["answer", cell.text || "nothing"], ["right", cell.gold === null ? "no such row" : cell.gold || "nothing"]];
    this.path.hidden = false;
    this.path.replaceChildren(
      el("h3", {}, `${key.gold || key.text} · ${name}`),
      el("p", { class: "reason" }, el("i", { class: `fate-${cell.fate}` }), `${cell.reason[0].toUpperCase()}${cell.reason.slice(1)}.`),
      el("div", { class: "facts" }, ...facts.map(([label, value]) => el("span", {}, `${label} `, el("b", {}, value)))),
      ...this.places("Where it was read", cell.reads), ...this.places("Where the lead was told", cell.reports),
      ...this.places("Where the wrong value was seen", cell.misread));
    if (cell.sources.length) this.path.append(el("div", { class: "label" }, `Pages that hold it: ${cell.sources.join(", ")}`));
    if (tell) {
      this.set({ cell: `${r}.${c}`, turn: null });
      this.path.scrollIntoView({ block: "nearest" });
    }
    const first = cell.reads[0] ?? cell.reports[0] ?? cell.misread[0];
    if (first) this.showTurn(first[0], first[1], [first[2], first[3]], tell);
  }

  places(title, places) {
    if (!places.length) return [];
    const items = places.slice(0, 12).map(([t, u, at, line, url, reporter]) => {
      const { agent, turns } = this.episode.trajectories[t];
      const turn = turns[u];
      const result = [...turn.calls, ...turn.results].find((entry) => entry.at === at);
      const what = reporter === null ? url : `report of ${this.episode.trajectories[reporter].agent}`;
      const where = [`${agent}, turn ${u + 1}`, what, line === null ? null : `line ${line + 1}`].filter(Boolean).join(" · ");
      return el("li", {}, el("button", { type: "button", class: "link-button", onclick: () => this.showTurn(t, u, [at, line]) }, where),
        line === null ? null : el("q", {}, shortened(result.text.split("\n")[line] ?? "", 200)));
    });
    if (places.length > items.length) items.push(el("li", {}, `and ${places.length - items.length} more`));
    return [el("div", { class: "label" }, title), el("ol", {}, ...items)];
  }
}

function counted(count, fate) {
  return `${count} ${fate === "extra" ? (count === 1 ? "row " : "rows ") : ""}${FATES[fate]}`;
}

function cellNotes(cell, episode) {
  const names = [...new Set(cell.reads.map((place) => episode.trajectories[place[0]].agent))];
  if (cell.fate === "right") {
    if (!names.length) return ["nobody read it"];
    return [names.slice(0, 2).join(", ") + (names.length > 2 ? ` and ${names.length - 2} more` : "")];
  }
  if (cell.fate === "extra") return [];
  return [`right: ${cell.gold || "nothing"}`, FATES[cell.fate]];
}

function shortened(words, most) {
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}

// A text as it is, with one of its lines marked.
function text(words, line = null) {
  const pre = el("pre", { tabindex: 0 });
  if (line === null) pre.textContent = words;
  else {
    words.split("\n").forEach((each, number, lines) => pre.append(
      number === line ? el("mark", {}, each) : each, number + 1 < lines.length ? "\n" : ""));
  }
  return pre;
}

// Draws a whole episode and returns its view.
function drawEpisode(holder, episode, state = {}, onState = () => {}, extras = []) {
  const shown = new EpisodeView(episode, state, onState);
  holder.replaceChildren(shown.facts(...extras), shown.lanes,
    el("div", { class: "two details" }, el("div", { class: "column" }, shown.path, shown.turn), shown.table()));
  shown.draw();
  return shown;
}
