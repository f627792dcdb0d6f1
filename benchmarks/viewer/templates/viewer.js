// The list of episodes, one episode, or two side by side. The address holds all that is shown, so
// that a link leads to it: filters, the open episode (`open`), the other one (`with`), turn, cell.

const COUNT = 100; // rows of one page of the list
const FILTERS = ["run", "source", "policy", "width", "depth", "end", "error"];
const HERE = ["open", "with", "turn", "cell", "axis"]; // what is no filter
const COLUMNS = [["task", "Task"], ["source", "Source"], ["policy", "Policy"], ["width", "Agents"], ["item_f1", "Item F1"],
  [null, "Cells"], ["turns", "Turns"], ["seconds", "Seconds"]];
const byId = (id) => document.getElementById(id);

let address = new URLSearchParams(location.search);
let runs = [];
let version = -1;
let rows = [];
let chosen = null; // key of the row that j and k move from
let returns = false; // whether the list is shown again after an episode
let near = {}; // the open episode's neighbours in the list
let view = null; // what draws the open episode
let asked = 0; // an answer that comes after a newer question is dropped

async function ask(path, words) {
  const answer = await fetch(`${path}?${words}`);
  const data = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  return answer.ok ? data : { error: data.error };
}

// Changes the address: null takes a word away. `push` makes a step that the back button undoes.
function go(changes, push = true) {
  const next = new URLSearchParams(address);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  address = next;
  const url = `${location.pathname}${next.size ? `?${next}` : ""}`;
  history[push ? "pushState" : "replaceState"](null, "", url);
}

function linkTo(changes) {
  const next = new URLSearchParams(address);
  HERE.forEach((name) => next.delete(name));
  for (const [name, value] of Object.entries(changes)) next.set(name, value);
  return `${location.pathname}?${next}`;
}

function filters() {
  const words = new URLSearchParams(address);
  HERE.forEach((name) => words.delete(name));
  return words;
}

const keyOf = (row) => `${row.run}/${row.id}`;
const partsOf = (key) => ({ run: key.slice(0, key.lastIndexOf("/")), id: key.slice(key.lastIndexOf("/") + 1) });

function show() {
  if (address.get("open")) showOne();
  else {
    view = null;
    byId("one").hidden = true;
    byId("list").hidden = false;
    document.title = `${runs.map((run) => run.name).join(", ")} · wideseek episodes`;
    fillForm();
    showList();
  }
}

// --- the list -------------------------------------------------------------------------------------

async function showList() {
  const mine = ++asked;
  const words = filters();
  words.set("count", COUNT);
  words.set("choices", 1);
  const data = await ask("/api/episodes", words);
  if (mine !== asked) return;
  if (data.error) {
    rows = [];
    byId("matched").textContent = data.error;
    return;
  }
  version = data.version;
  rows = data.rows;
  drawSelects(data.choices);
  const mean = data.mean === null ? "" : `, mean item F1 ${data.mean.toFixed(3)}`;
  byId("matched").textContent = data.total === 0 ? emptyWords() :
    `${data.matched.toLocaleString("en")} of ${data.total.toLocaleString("en")} episodes${mean}`;
  byId("csv").href = `/api/episodes.csv?${filters()}`;
  drawRows();
  drawPages(data.matched);
}

function emptyWords() {
  return runs.every((run) => run.whole) ? "No episode has been played yet; this page follows the file." : "Reading …";
}

function drawSelects(choices) {
  const selects = FILTERS.map((name) => {
    const values = Object.entries(choices[name]);
    const now = address.get(name) ?? "";
    if (values.length < 2 && !now) return null;
    if (now && !(now in choices[name])) values.push([now, 0]);
    values.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    const label = name === "error" ? "kind of error" : name;
    const options = values.map(([value, count]) => el("option", { value }, `${FATES[value] ?? value} (${count.toLocaleString("en")})`));
    const select = el("select", { name, "aria-label": label, onchange: () => filter({ [name]: select.value }) },
      el("option", { value: "" }, `${label}: all`), ...options);
    select.value = now;
    select.classList.toggle("set", now !== "");
    return select;
  });
  const focused = document.activeElement?.name;
  byId("selects").replaceChildren(...selects.filter(Boolean));
  if (FILTERS.includes(focused)) byId("selects").querySelector(`[name=${focused}]`)?.focus();
}

function filter(changes, push = true) {
  go({ ...changes, start: null }, push);
  chosen = null;
  return showList();
}

function drawRows() {
  const within = byId("rows").tBodies[0].contains(document.activeElement);
  const sort = address.get("sort"), descending = address.get("desc") === "1";
  const many = runs.length > 1;
  byId("rows").tHead.replaceChildren(el("tr", {}, ...COLUMNS.map(([name, label]) => {
    if (name === null) return el("th", { scope: "col" }, label);
    const down = sort === name && !descending;
    const order = sort === name ? (descending ? "descending" : "ascending") : null;
    return el("th", { scope: "col", "aria-sort": order }, el("button", { type: "button", onclick: () =>
      filter({ sort: name, desc: down ? "1" : null }) }, label));
  })));
  byId("rows").tBodies[0].replaceChildren(...rows.map((row) => drawRow(row, many)));
  const index = rows.findIndex((row) => keyOf(row) === chosen);
  if (returns) choose(index);
  else if (within) byId("rows").tBodies[0].rows[index]?.querySelector("a").focus({ preventScroll: true });
  returns = false;
}

function drawRow(row, many) {
  const key = keyOf(row);
  const id = el("small", {}, many ? `${row.run} · ` : "", row.task, row.trial ? ` · trial ${row.trial + 1}` : "", ` · ${row.id}`);
  const about = row.error && row.item_f1 === null ? el("small", { class: "warn" }, shortened(row.error, 200)) : null;
  const cells = [
    el("td", { class: "task" }, el("a", { href: linkTo({ open: key }), onclick: (event) => openRow(event, key) },
      shortened(row.question, 150) || `line ${row.id}`), id, about),
    el("td", {}, row.source), el("td", {}, row.policy),
    el("td", { class: "number" }, row.depth === null ? String(row.width) : `${row.width} · ${row.depth} turns`),
    el("td", { class: "number" }, row.item_f1 === null ? el("span", { class: "warn" }, row.end) : row.item_f1.toFixed(3)),
    el("td", {}, fateBar(row)), el("td", { class: "number" }, String(row.turns)), el("td", { class: "number" }, row.seconds.toFixed(2))];
  cells.forEach((cell, i) => { cell.dataset.label = COLUMNS[i][1]; });
  return el("tr", { "data-key": key }, ...cells);
}

// One stripe for each fate, as wide as its share of the cells.
function fateBar(row) {
  if (row.fates === null) return el("span", { class: "muted" }, row.item_f1 === null ? "" : "…");
  const found = Object.keys(FATES).filter((fate) => row.fates[fate]);
  const words = found.map((fate) => counted(row.fates[fate], fate)).join(", ");
  const bar = el("span", { class: "fates", role: "img", "aria-label": words, title: words });
  for (const fate of found) {
    const stripe = el("i", { class: `fate-${fate}` });
    stripe.style.flexGrow = row.fates[fate];
    bar.append(stripe);
  }
  return bar;
}

function openRow(event, key) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab
  event.preventDefault();
  open(key);
}

function open(key, push = true) {
  chosen = key;
  go({ open: key, with: null, turn: null, cell: null }, push);
  show();
  scrollTo(0, 0);
}

function drawPages(matched) {
  const start = Number(address.get("start") ?? 0);
  const page = (label, at) => el("button", { type: "button", class: "small", onclick: () => turnPage(at) }, label);
  byId("pages").replaceChildren(...[start > 0 ? page("← before", start - COUNT) : null,
    matched > COUNT ? el("span", { class: "note" }, `${start + 1} to ${Math.min(start + COUNT, matched)}`) : null,
    start + COUNT < matched ? page("after →", start + COUNT) : null].filter(Boolean));
}

async function turnPage(at, last = false) {
  go({ start: at > 0 ? at : null });
  chosen = null;
  await showList();
  choose(last ? rows.length - 1 : 0);
}

function choose(index) {
  const row = byId("rows").tBodies[0].rows[index];
  if (!row) return;
  chosen = row.dataset.key;
  const link = row.querySelector("a");
  link.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const index = rows.findIndex((row) => keyOf(row) === chosen) + by;
  const start = Number(address.get("start") ?? 0);
  if (index >= 0 && index < rows.length) choose(index);
  else if (by < 0 && start > 0) turnPage(start - COUNT, true);
  else if (by > 0 && rows.length === COUNT) turnPage(start + COUNT);
}

function fillForm() {
  const form = byId("filters");
  for (const name of ["q", "min", "max"]) {
    if (document.activeElement !== form.elements[name]) form.elements[name].value = address.get(name) ?? "";
  }
}

// --- one episode, or two --------------------------------------------------------------------------

async function showOne() {
  const mine = ++asked;
  byId("list").hidden = true;
  byId("one").hidden = false;
  const keys = [address.get("open"), address.get("with")].filter(Boolean);
  const loaded = await Promise.all(keys.map((key) => {
    const words = filters();
    const { run, id } = partsOf(key);
    words.set("of", run);
    words.set("id", id);
    return ask("/api/episode", words);
  }));
  if (mine !== asked) return;
  near = loaded[0];
  const head = el("div", { class: "step head" }, el("button", { type: "button", class: "small", onclick: close }, "← list"),
    neighbour("↑ previous", near.before), neighbour("↓ next", near.after));
  const holder = el("div");
  byId("one").replaceChildren(head, holder);
  const wrong = loaded.find((each) => each.error && !each.trajectories);
  if (wrong) {
    holder.replaceChildren(el("p", { class: "panel" }, wrong.error));
    return;
  }
  const names = loaded.map(nameOf);
  document.title = `${names.join(" and ")} · ${loaded[0].task_id}`;
  const state = Object.fromEntries(["turn", "cell", "axis"].map((name) => [name, address.get(name)]));
  const keep = (changes) => go(changes, false);
  head.append(el("span", { class: "spread" }), compareSelect(loaded[0], keys[1]));
  if (loaded.length === 2) {
    view = null;
    head.append(el("button", { type: "button", class: "small", onclick: () => { go({ with: null, cell: null }); show(); } }, "one alone"));
    drawComparison(holder, loaded, names, state, keep);
  } else {
    const e = loaded[0];
    const ids = el("div", { class: "facts ids" }, el("span", {}, "episode ", el("code", {}, `${e.run}/${e.id}`), " ", copyButton(`${e.run}/${e.id}`, "copy id")),
      el("span", {}, "task ", el("code", {}, e.task_id), " ", copyButton(e.task_id, "copy task")),
      el("span", {}, `${e.source} · ${names[0]} `, copyLink()));
    view = drawEpisode(holder, e, state, keep, [ids]);
  }
}

function copyLink() {
  return el("button", { type: "button", class: "small", onclick: (event) => event.target.replaceWith(copyButton(location.href, "copy link")) }, "link");
}

function nameOf(episode) {
  const run = runs.length > 1 ? `${episode.run}: ` : "";
  const depth = episode.depth === null ? "" : `, at most ${episode.depth} turns`;
  const trial = episode.trial ? `, trial ${episode.trial + 1}` : "";
  return `${run}${episode.policy} × ${episode.width}${depth}${trial}`;
}

function neighbour(label, key) {
  const button = el("button", { type: "button", class: "small", onclick: () => open(key, false) }, label);
  button.disabled = !key;
  return button;
}

// Lists the other episodes of the task, of all runs.
function compareSelect(episode, now) {
  const select = el("select", { id: "compare", "aria-label": "Compare with", onchange: () => {
    go({ with: select.value, turn: null });
    show();
  } }, el("option", { value: "" }, "compare with …"));
  const words = new URLSearchParams([["task", episode.task_id], ["source", episode.source], ["count", 500], ["sort", "policy"]]);
  ask("/api/episodes", words).then((data) => {
    for (const row of data.rows ?? []) {
      if (keyOf(row) === `${episode.run}/${episode.id}`) continue;
      const f1 = row.item_f1 === null ? row.end : row.item_f1.toFixed(3);
      select.append(el("option", { value: keyOf(row) }, `${nameOf(row)}: ${f1}`));
    }
    select.value = now ?? "";
    select.disabled = select.options.length < 2;
  });
  return select;
}

function close() {
  const key = address.get("open");
  go(Object.fromEntries(HERE.map((name) => [name, null])));
  chosen = key;
  returns = true;
  show();
}

// --- keys, and what changes by itself ---------------------------------------------------------------

const KEYS = {
  j: () => (address.get("open") ? near.after && open(near.after, false) : move(1)),
  k: () => (address.get("open") ? near.before && open(near.before, false) : move(-1)),
  "/": () => { if (address.get("open")) close(); byId("q").focus(); byId("q").select(); },
  "?": () => byId("help").showModal(),
  c: () => byId("compare")?.focus(),
  ArrowLeft: () => view?.step(-1),
  ArrowRight: () => view?.step(1),
  Escape: () => address.get("open") && close(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const typing = event.target.matches("input, select, textarea");
  if (typing && event.key === "Escape") event.target.blur();
  else if (!typing && Object.hasOwn(KEYS, event.key)) {
    event.preventDefault();
    KEYS[event.key]();
  }
}

async function follow() {
  const data = await ask("/api/runs", "").catch(() => ({ error: "the server does not answer" }));
  if (data.error) byId("state").textContent = data.error;
  else {
    runs = data.runs;
    byId("state").textContent = runs.map(stateOf).join("; ");
    if (data.version !== version && !address.get("open")) await showList();
  }
}

function stateOf(run) {
  const expected = run.num_expected !== null && run.num_expected > run.num_episodes ? ` of ${run.num_expected.toLocaleString("en")}` : "";
  const reading = run.whole ? "" : ", reading …";
  const tracing = run.num_untraced ? `, ${run.num_untraced.toLocaleString("en")} still to be traced` : "";
  return `${run.name}: ${run.num_episodes.toLocaleString("en")}${expected} episodes${reading}${tracing}`;
}

async function start() {
  setUpScheme();
  const form = byId("filters");
  let waits = null;
  form.addEventListener("submit", async (event) => { // Enter: on to what was found
    event.preventDefault();
    clearTimeout(waits);
    await filter(Object.fromEntries(new FormData(form)), false);
    choose(0);
  });
  form.addEventListener("input", (event) => {
    if (event.target.matches("select")) return;
    clearTimeout(waits);
    waits = setTimeout(() => filter({ [event.target.name]: event.target.value }, false), 150);
  });
  byId("clear").addEventListener("click", () => { address = new URLSearchParams(); go({}); fillForm(); showList(); });
  byId("home").addEventListener("click", (event) => { event.preventDefault(); address = new URLSearchParams(); go({}); show(); });
  byId("help-button").addEventListener("click", KEYS["?"]);
  document.addEventListener("keydown", onKey);
  addEventListener("popstate", () => { address = new URLSearchParams(location.search); show(); });
  await follow();
  show();
  for (;;) {
    await new Promise((done) => setTimeout(done, runs.every((run) => run.whole) ? 2000 : 300));
    if (!document.hidden) await follow();
  }
}

start();
