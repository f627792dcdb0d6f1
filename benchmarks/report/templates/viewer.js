// The episode viewer: a lane for each agent, a box for each turn, the turn's texts, the final table.

const SVG = "http://www.w3.org/2000/svg";
const LANE = 34, LABEL = 104, BOX = 20;
const TOOLS = ["search", "open", "delegate", "report", "answer"];
let axis = null; // "turns" or "seconds"; null until an episode chose its own
let current = 0;

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function setUpViewer() {
  if (DATA.episodes.length === 0) return;
  const select = el("select", { "aria-label": "Episode", onchange: () => showEpisode(Number(select.value)) });
  for (const source of new Set(DATA.episodes.map((episode) => episode.source))) {
    const group = el("optgroup", { label: source });
    DATA.episodes.forEach((episode, i) => {
      if (episode.source === source) group.append(el("option", { value: i }, episode.title));
    });
    select.append(group);
  }
  document.getElementById("picker").replaceChildren(select);
  showEpisode(0);
}

function showEpisode(index, scroll = false) {
  current = index;
  document.querySelector("#picker select").value = index;
  const episode = DATA.episodes[index];
  axis = axis ?? (episode.seconds >= 1 ? "seconds" : "turns");
  const turns = el("div", { class: "panel", id: "turn" });
  document.getElementById("viewer").replaceChildren(
    questionPanel(episode), lanesPanel(episode, turns),
    el("div", { class: "two details" }, turns, tablePanel(episode)));
  const first = episode.trajectories[0]?.turns.length ? [0, 0] : null;
  if (first) showTurn(episode, turns, ...first);
  else turns.textContent = "No turn was taken.";
  if (scroll) document.getElementById("episode").scrollIntoView();
}

function facts(pairs) {
  return el("div", { class: "facts" }, ...pairs.map(([name, value]) =>
    el("span", {}, `${name} `, el("b", {}, String(value)))));
}

function questionPanel(episode) {
  const number = (value) => (value === null ? "none" : value.toFixed(3));
  const panel = el("div", { class: "panel question" }, episode.question, facts([
    ["item F1", number(episode.item_f1)], ["row F1", number(episode.row_f1)], ["ended", episode.end],
    ["turns", episode.num_turns], ["tool calls", episode.num_tool_calls],
    ["characters read", episode.chars_read.toLocaleString("en")],
    ["critical path", `${episode.critical_path_turns} turns`], ["seconds", episode.seconds.toFixed(2)],
    ...Object.entries(episode.reward_terms).map(([name, value]) => [`reward: ${name}`, value.toFixed(3)]),
  ]));
  if (episode.error) panel.append(el("p", { class: "label warn" }, "Invalid, so in no mean:"), el("pre", {}, episode.error));
  return panel;
}

// Returns [begin, end] of a turn on the axis: a rank on the longest chain of turns, or seconds.
function span(turn) {
  return axis === "turns" ? [turn.level, turn.level + 1] : [turn.started, turn.ended];
}

function lanesPanel(episode, panel) {
  const agents = [...new Set(episode.trajectories.map((trajectory) => trajectory.agent))];
  const all = episode.trajectories.flatMap((trajectory) => trajectory.turns.map((turn) => span(turn)));
  const end = Math.max(...all.map((both) => both[1]), 1e-6);
  const width = Math.max(700, document.getElementById("viewer").clientWidth - 40);
  const wide = axis === "turns" ? Math.max(width, LABEL + end * 24) : width;
  const x = (value) => LABEL + (value / end) * (wide - LABEL - 12);
  const y = (agent) => 26 + agents.indexOf(agent) * LANE;
  const root = svg("svg", { width: wide, height: 30 + agents.length * LANE, role: "group", "aria-label": "Turns of all agents" });
  for (const agent of agents) {
    root.append(svg("line", { class: "lane", x1: LABEL, x2: wide - 8, y1: y(agent) + BOX / 2, y2: y(agent) + BOX / 2 }));
    root.append(svg("text", { class: "name", x: 0, y: y(agent) + 14 }, agent.replace("_", " ")));
  }
  drawAxis(root, end, x);
  drawLinks(root, episode, x, y);
  episode.trajectories.forEach((trajectory, t) => trajectory.turns.forEach((turn, u) =>
    root.append(turnBox(episode, panel, t, u, x, y(trajectory.agent)))));
  return el("div", { class: "panel" }, el("div", { class: "lanes" }, root), legend());
}

function drawAxis(root, end, x) {
  const step = [0.001, 0.01, 0.1, 1, 2, 5, 10, 20, 50, 100, 200, 500].find((size) => end / size <= 14) ?? 1000;
  for (let value = 0; value <= end; value += step) {
    const at = axis === "turns" ? value + 0.5 : value;
    if (at > end) break;
    const text = axis === "turns" ? `${value + 1}` : `${Number(value.toFixed(3))} s`;
    root.append(svg("text", { x: x(at), y: 12, "text-anchor": value === 0 && axis !== "turns" ? "start" : "middle" }, text));
  }
}

// Thin curves from the turn that delegated to the first turn of the subtask, and from its last turn
// to the turn in which the lead read the report.
function drawLinks(root, episode, x, y) {
  const lead = episode.trajectories[0]?.turns ?? [];
  const curve = (from, to) => root.append(svg("path", { class: "link",
    d: `M${from[0]},${from[1]} C${from[0] + 14},${from[1]} ${to[0] - 14},${to[1]} ${to[0]},${to[1]}` }));
  for (const trajectory of episode.trajectories.slice(1)) {
    if (trajectory.turns.length === 0) continue;
    const middle = y(trajectory.agent) + BOX / 2, top = y("lead") + BOX / 2;
    const begun = lead[trajectory.delegated_in], read = lead[trajectory.read_in];
    if (begun) curve([x(begunAt(begun)), top + 8], [x(span(trajectory.turns[0])[0]), middle]);
    if (read) curve([x(span(trajectory.turns.at(-1))[1]), middle], [x(span(read)[0]), top + 8]);
  }
}

function begunAt(turn) {
  return axis === "turns" ? turn.level + 1 : turn.decided;
}

// A turn's box has one stripe for each of its calls, in the colour of the tool.
function turnBox(episode, panel, t, u, x, top) {
  const turn = episode.trajectories[t].turns[u];
  const [from, to] = span(turn).map(x);
  // A lead that waits holds its turn open; its box ends where it decided.
  const until = axis === "seconds" && t === 0 ? Math.min(to, x(turn.decided)) : to;
  const width = Math.max(until - from - 2, 3);
  const names = turn.calls.length ? turn.calls.map((call) => call.name) : ["other"];
  const title = `${episode.trajectories[t].agent}, turn ${u + 1}: ${names.join(", ")}`;
  const show = () => showTurn(episode, panel, t, u);
  const box = svg("g", { class: "turn", id: `turn-${t}-${u}`, tabindex: 0, role: "button", "aria-label": title,
    onclick: show, onkeydown: (event) => event.key === "Enter" && show() }, svg("title", {}, title));
  names.forEach((name, i) => {
    const color = TOOLS.includes(name) ? `var(--${name})` : "var(--other)";
    const wrong = turn.calls[i]?.status === "wrong" || turn.error;
    box.append(svg("rect", { x: from + 1 + (i * width) / names.length, y: top, rx: 2, height: BOX,
      width: Math.max(width / names.length - (names.length > 1 ? 0.8 : 0), 1), style: `fill: ${color}`,
      opacity: wrong ? 0.35 : 1 }));
  });
  box.append(svg("rect", { class: "frame", x: from - 1, y: top - 2, width: width + 4, height: BOX + 4, rx: 4 }));
  return box;
}

function legend() {
  const other = axis === "turns" ? "seconds" : "turns";
  return el("div", { class: "legend" },
    ...[...TOOLS, "other"].map((name) => {
      const swatch = el("i");
      swatch.style.background = `var(--${name})`;
      return el("span", {}, swatch, name === "other" ? "no call" : name);
    }),
    el("span", {}, "pale: refused"),
    el("span", {}, axis === "turns" ? "axis: turns that wait for one another" : "axis: wall time"),
    el("button", { type: "button", onclick: () => { axis = other; showEpisode(current); } }, `show ${other}`));
}

function showTurn(episode, panel, t, u) {
  const trajectory = episode.trajectories[t];
  const turn = trajectory.turns[u];
  document.querySelectorAll(".turn.on").forEach((box) => box.classList.remove("on"));
  document.getElementById(`turn-${t}-${u}`)?.classList.add("on");
  const order = episode.trajectories.flatMap((other, i) => other.turns.map((_, j) => [i, j]));
  const here = order.findIndex(([i, j]) => i === t && j === u);
  const go = (step) => order[here + step] && showTurn(episode, panel, ...order[here + step]);
  const parts = [el("div", { class: "step" },
    el("b", {}, `${trajectory.agent.replace("_", " ")}, turn ${u + 1} of ${trajectory.turns.length}`),
    el("span", { class: "label" }, `${turn.started.toFixed(3)} s to ${turn.ended.toFixed(3)} s; ` +
      `the ${t === 0 ? "task" : "subtask"} ended: ${trajectory.end.replace("_", " ")}`),
    el("button", { type: "button", onclick: () => go(-1) }, "← back"),
    el("button", { type: "button", onclick: () => go(1) }, "next →"))];
  if (u === 0) parts.push(el("div", { class: "label" }, t === 0 ? "Question" : "Subtask"), el("pre", {}, trajectory.prompt));
  if (turn.text) parts.push(el("div", { class: "label" }, "Written by the model"), el("pre", {}, turn.text));
  if (turn.error) parts.push(el("div", { class: "label warn" }, `Could not be read: ${turn.error}`));
  for (const call of turn.calls) {
    parts.push(el("div", { class: "label" }, el("b", {}, call.name), ` ${call.arguments}`));
    if (call.result !== null) parts.push(el("pre", {}, call.result));
  }
  for (const result of turn.results) {
    parts.push(el("div", { class: "label" }, result.status === "ok" ? "Then came" : `Then came (${result.status})`), el("pre", {}, result.text));
  }
  if (turn.calls.length === 0 && !turn.text) parts.push(el("div", { class: "label" }, "No call: waits."));
  panel.replaceChildren(...parts);
}

function tablePanel(episode) {
  const panel = el("div", { class: "panel" }, el("b", {}, "Final table"));
  if (episode.table === null) {
    panel.append(el("p", { class: "note" }, episode.answer === null ? "No answer was handed in." : "The answer as it was handed in:"));
    if (episode.answer !== null) panel.append(el("pre", {}, episode.answer));
    return panel;
  }
  panel.append(el("p", { class: "note" }, episode.table.note));
  const rows = episode.table.rows.map((row) => el("tr", {}, ...row.map((cell) => tableCell(episode, cell))));
  const head = el("tr", {}, ...episode.table.columns.map((name) => el("th", {}, name)));
  panel.append(el("div", { class: "scroll" }, el("table", { class: "cells" }, el("thead", {}, head), el("tbody", {}, ...rows))));
  if (episode.answer !== null) panel.append(el("details", {}, el("summary", { class: "label" }, "The answer as it was handed in"), el("pre", {}, episode.answer)));
  return panel;
}

function tableCell(episode, cell) {
  const node = el("td", { class: cell.right ? "right" : "wrong" }, cell.text);
  if (cell.note) node.append(el("small", {}, cell.note));
  if (cell.agents.length) {
    const turn = cell.turn;
    const more = cell.agents.length > 2 ? ` and ${cell.agents.length - 2} more` : "";
    const names = cell.agents.slice(0, 2).join(", ") + more;
    node.append(el("small", turn === null ? {} : { class: "who", title: "Show the turn that read it",
      onclick: () => { showTurn(episode, document.getElementById("turn"), ...turn); document.getElementById("turn").scrollIntoView({ block: "nearest" }); } },
    `${names}${cell.page ? ` · ${cell.page}` : ""}`));
  }
  return node;
}
