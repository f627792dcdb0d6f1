"use strict";
// The page's own behaviour: colour scheme, the sortable table, the map of tasks. Every text from an
// episode goes in through textContent, never as HTML: pages are written by strangers.

const DATA = JSON.parse(document.getElementById("data").textContent);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function setUpScheme() {
  const button = document.getElementById("scheme");
  const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  button.addEventListener("click", () => {
    const now = document.documentElement.style.colorScheme || (dark() ? "dark" : "light");
    document.documentElement.style.colorScheme = now === "dark" ? "light" : "dark";
  });
}

// One chip is chosen at a time; `choose` is told which.
function chips(parent, names, choose) {
  const buttons = names.map((name) =>
    el("button", { type: "button", onclick: () => press(name) }, name));
  function press(name) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", names[i] === name));
    choose(name);
  }
  parent.replaceChildren(...buttons);
  press(names[0]);
}

function setUpTable() {
  const table = document.getElementById("all");
  const body = table.tBodies[0];
  const sources = [...new Set([...body.rows].map((row) => row.dataset.source))];
  chips(document.getElementById("sources"), [...sources, ...(sources.length > 1 ? ["all"] : [])], (name) => {
    for (const row of body.rows) row.hidden = name !== "all" && row.dataset.source !== name;
  });
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    header.tabIndex = 0;
    const sort = () => {
      const down = header.getAttribute("aria-sort") !== "descending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        const order = header.classList.contains("text") ? x.localeCompare(y) : Number(x) - Number(y);
        return down ? -order : order;
      };
      body.append(...[...body.rows].sort(compare));
    };
    header.addEventListener("click", sort);
    header.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}

function setUpTasks() {
  const holder = document.getElementById("heat");
  const sources = [...new Set(DATA.tasks.map((task) => task.source))];
  chips(document.getElementById("task-sources"), sources, (source) => {
    const columns = DATA.columns;
    const head = el("tr", {}, el("th", { class: "task" }, "Task"),
      ...columns.map((column) => el("th", { title: column.title }, column.short)));
    const groups = [];
    for (const column of columns) {
      if (groups.length && groups.at(-1).policy === column.policy) groups.at(-1).span += 1;
      else groups.push({ policy: column.policy, span: 1 });
    }
    const top = el("tr", {}, el("th"),
      ...groups.map((group) => el("th", { colspan: group.span }, group.policy)));
    const rows = DATA.tasks.filter((task) => task.source === source).map((task) =>
      el("tr", {}, el("th", { class: "task", title: task.question }, task.question),
        ...task.item_f1.map((value, i) => heatCell(task, columns[i], value))));
    holder.replaceChildren(el("table", {}, el("thead", {}, top, head), el("tbody", {}, ...rows)));
  });
}

function heatCell(task, column, value) {
  const shown = DATA.episodes.findIndex((episode) =>
    episode.task_id === task.id && episode.source === task.source && episode.policy === column.policy &&
    episode.width === column.width && episode.depth === column.depth);
  const open = () => showEpisode(shown, true);
  const cell = el("td", {
    class: [value === null ? "none" : "", shown >= 0 ? "has" : ""].join(" "),
    title: `${column.title}: ${value === null ? "no valid episode" : `item F1 ${value.toFixed(3)}`}`,
    ...(shown >= 0 ? { onclick: open, tabindex: 0, onkeydown: (e) => e.key === "Enter" && open() } : {}),
  }, value === null ? "" : value === 1 ? "1" : value.toFixed(2).slice(1));
  if (value !== null) {
    cell.style.background = `color-mix(in oklab, var(--accent) ${Math.round(value * 88)}%, var(--sunken))`;
    if (value > 0.7) cell.style.color = "light-dark(#fff, #0d1117)";
  }
  return cell;
}

function start() {
  setUpScheme();
  setUpTable();
  if (DATA.tasks.length) setUpTasks();
  setUpViewer();
}
