// The report's own behaviour: the sortable table, the map of tasks, the choice of an episode.

const DATA = JSON.parse(document.getElementById("data").textContent);

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
  const figure = value === null ? "no valid episode" : `item F1 ${value.toFixed(3)}`;
  const open = () => (shown >= 0 ? showEpisode(shown, true) : tellElsewhere(task, column, figure));
  const cell = el("td", {
    class: [value === null ? "none" : "", shown >= 0 ? "has" : ""].join(" "),
    title: `${column.title}: ${figure}`, role: "button", tabindex: 0, onclick: open,
    onkeydown: (event) => event.key === "Enter" && open(),
  }, value === null ? "" : value === 1 ? "1" : value.toFixed(2).slice(1));
  // No more than so much of the accent, so that the ink of both schemes is legible on it.
  if (value !== null) cell.style.background = `color-mix(in oklab, var(--accent) ${Math.round(value * 55)}%, var(--sunken))`;
  return cell;
}

// Of an episode that is not in this page: what it is, and the command that shows it.
function tellElsewhere(task, column, figure) {
  const words = new URLSearchParams([["task", task.id], ["source", task.source], ["policy", column.policy], ["width", column.width]]);
  if (column.depth !== null) words.set("depth", column.depth);
  const where = `http://127.0.0.1:8090/?${words}`;
  const told = document.getElementById("elsewhere");
  told.hidden = false;
  told.replaceChildren(el("b", {}, `${task.id}, ${column.title}: ${figure}. `), "It is not in this page: ",
    el("code", {}, DATA.command), " shows it at ", el("a", { href: where }, where), ".");
  told.scrollIntoView({ block: "center" });
}

// --- episodes -----------------------------------------------------------------------------------

function setUpEpisodes() {
  if (DATA.episodes.length === 0) return;
  const policies = [...new Set(DATA.episodes.map((episode) => episode.policy))];
  const policy = el("select", { id: "policy", "aria-label": "Policy", onchange: () => list(policy.value, true) },
    el("option", { value: "" }, "all policies"), ...policies.map((name) => el("option", { value: name }, name)));
  const select = el("select", { id: "chosen", "aria-label": "Episode", onchange: () => showEpisode(Number(select.value)) });
  const list = (name, go) => {
    const groups = [...new Set(DATA.episodes.map((episode) => episode.source))].map((source) =>
      el("optgroup", { label: source }, ...DATA.episodes.flatMap((episode, i) =>
        (episode.source === source && (!name || episode.policy === name) ? [el("option", { value: i }, episode.title)] : []))));
    select.replaceChildren(...groups.filter((group) => group.childElementCount));
    if (go) showEpisode(Number(select.value));
  };
  list("", false);
  document.getElementById("picker").replaceChildren(policy, select);
  showEpisode(0);
}

async function showEpisode(index, scroll = false) {
  const [policy, select] = document.querySelectorAll("#picker select");
  if (policy.value && policy.value !== DATA.episodes[index].policy) {
    policy.value = "";
    policy.dispatchEvent(new Event("change"));
  }
  select.value = index;
  document.getElementById("elsewhere").hidden = true;
  const episode = await unpacked(DATA.episodes[index].packed);
  const ids = el("div", { class: "facts ids" }, el("span", {}, "task ", el("code", {}, episode.task_id), " ", copyButton(episode.task_id, "copy task")));
  if (Number(select.value) !== index) return; // another one was chosen meanwhile
  drawEpisode(document.getElementById("viewer"), episode, {}, () => {}, [ids]);
  if (scroll) document.getElementById("episode").scrollIntoView();
}

async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function start() {
  setUpScheme();
  setUpTable();
  if (DATA.tasks.length) setUpTasks();
  setUpEpisodes();
}
