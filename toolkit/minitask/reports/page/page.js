"use strict";
// The tasks: filters, search, details; and new data where the page is served live. All text is set as text.
(() => {
  const STEP = 100;
  const FOLLOWS = "Live: follows the run";
  const FILTERS = ["state", "project", "tier", "model", "gate"];
  const form = document.getElementById("filters");
  const body = document.querySelector("#rows tbody");
  const more = document.getElementById("more");
  const opened = new Set();
  const details = new Map();
  const unpacked = new Map();
  let tasks = [], blocks = [], matching = [], shown = 0;

  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    if (text !== "") element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };

  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  // A screen reader speaks when such a text is set, so it is set only if it is another.
  const tell = (id, text) => {
    const element = document.getElementById(id);
    if (element.textContent !== text) element.textContent = text;
  };

  // A block of texts, unpacked once; it is known by its content, which stays the same when others come before it.
  const unpack = (block) => {
    if (!unpacked.has(block)) {
      const bytes = Uint8Array.from(atob(block), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      unpacked.set(block, new Response(stream).json());
    }
    return unpacked.get(block);
  };

  const read = (page) => {
    tasks = JSON.parse(page.getElementById("data").textContent);
    blocks = JSON.parse(page.getElementById("texts").textContent);
    unpacked.clear();
    for (const task of tasks) {
      const tries = task.tries.flatMap((one) => [one.model, one.gate, one.reason, ...(one.files || []).map((file) => file[0])]);
      task.text = [task.name, task.state, ...tries].join("\n").toLowerCase();
    }
    for (const name of FILTERS) fill(form.elements[name], [...new Set(tasks.map((task) => task[name]))]);
  };

  const fill = (select, values) => {
    const before = select.value;
    select.replaceChildren(make("option", "all", { value: "" }));
    for (const value of values.filter(Boolean).sort()) select.append(make("option", value, { value }));
    select.value = values.includes(before) ? before : "";
  };

  const choose = () => {
    const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const order = form.elements.order.value;
    matching = tasks.filter((task) =>
      FILTERS.every((name) => !form.elements[name].value || task[name] === form.elements[name].value) &&
      words.every((word) => task.text.includes(word)));
    if (order === "name") matching.sort((a, b) => (a.name < b.name ? -1 : 1));
    else if (order !== "started") matching.sort((a, b) => b[order] - a[order]);
    body.replaceChildren();
    shown = 0;
    const all = counted(tasks.length, "task");
    tell("count", matching.length === tasks.length ? all : `${matching.length.toLocaleString("en")} of ${all}`);
    extend();
  };

  const extend = () => {
    for (const task of matching.slice(shown, shown + STEP)) body.append(...rowsOf(task));
    shown = Math.min(shown + STEP, matching.length);
    const left = matching.length - shown;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(left, STEP)} more (${left.toLocaleString("en")} left)`;
  };

  const rowsOf = (task) => {
    const row = make("tr", "");
    const open = make("button", task.name, { type: "button", class: "open", "aria-expanded": "false", title: task.name });
    const first = make("th", "", { scope: "row" });
    first.append(open);
    const texts = [task.state, task.attempts, task.verdict, task.gate, task.model, task.cost, task.started];
    row.append(first, ...texts.map((text) => make("td", String(text), { title: String(text) })));
    open.addEventListener("click", () => toggle(task, row, open));
    if (!opened.has(task.name)) return [row];
    open.setAttribute("aria-expanded", "true");
    return [row, detailOf(task)];
  };

  const toggle = (task, row, open) => {
    const isOpen = open.getAttribute("aria-expanded") === "true";
    open.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      opened.delete(task.name);
      row.nextSibling.remove();
    } else {
      opened.add(task.name);
      row.after(detailOf(task));
    }
  };

  // What the page has of a task stays as it is, with all that is open in it, as long as nothing has changed.
  const detailOf = (task) => {
    const state = JSON.stringify(task, (name, value) => (["spec", "diff", "reply"].includes(name) ? Boolean(value) : value));
    const known = details.get(task.name);
    if (known && known.state === state) return known.row;
    const cell = make("td", "", { colspan: "8", class: "detail" });
    const list = make("div", "", { class: "tries" });
    if (task.spec) list.append(textOf("Spec", task.spec));
    for (const one of task.tries) list.append(...tryOf(one, task));
    const commands = make("p", "More: ", { class: "soft" });
    commands.append(make("code", `minitask show ${quoted(task.name)} --output`), ", ", make("code", `minitask diff ${quoted(task.name)}`));
    list.append(commands);
    cell.append(list);
    const row = make("tr", "");
    row.append(cell);
    details.set(task.name, { row, state });
    return row;
  };

  const quoted = (name) => (/^[\w@%+=:,./-]+$/.test(name) ? name : `'${name.replaceAll("'", `'"'"'`)}'`);

  // A long text, which is unpacked when it is opened.
  const textOf = (title, [block, index]) => {
    const element = make("details", "");
    element.append(make("summary", title));
    const packed = blocks[block];
    element.addEventListener("toggle", async () => {
      if (element.querySelector("pre")) return;
      const text = scrolled(title);
      element.append(text);
      text.append(...linesOf((await unpack(packed))[index], title === "Diff"));
    });
    return element;
  };

  const scrolled = (label) => make("pre", "", { tabindex: "0", role: "group", "aria-label": label });

  const linesOf = (text, isDiff) => (isDiff ? text.trimEnd().split("\n").map((line) => make("span", `${line}\n`, { class: toneOf(line) })) : [text]);

  const toneOf = (line) => {
    if (/^(diff|index|---|\+\+\+|@@|new|deleted|old|similarity|rename) ?/.test(line)) return "soft";
    return line.startsWith("+") ? "good" : line.startsWith("-") ? "bad" : "";
  };

  const tryOf = (one, task) => {
    const what = one.phase === "implement" ? `Attempt ${one.n}` : `Attempt ${one.n}, ${one.phase}`;
    const ended = one.gate ? `${one.verdict} at ${one.gate}` : one.verdict;
    const tokens = one.tokens.map((count) => (count === null ? "unknown" : count.toLocaleString("en")));
    const parts = [make("h3", `${what}: ${ended}`),
      make("p", `${one.model}, tier ${one.tier}, ${tokens[0]} + ${tokens[1]} tokens, ${one.cost}, ${one.seconds} s, ${one.started} UTC`, { class: "soft" })];
    if (one.reason) parts.push(make("pre", one.reason));
    if (one.route) parts.push(make("p", `Route: ${one.route}`));
    for (const note of [...(one.doubts || []), ...(one.notes || [])]) parts.push(make("p", `Note: ${note}`));
    if (one.files) parts.push(filesOf(one.files));
    for (const command of one.commands || []) parts.push(commandOf(command, task));
    if (one.diff) parts.push(textOf("Diff", one.diff));
    if (one.reply) parts.push(textOf("Reply", one.reply));
    return parts;
  };

  const filesOf = (files) => {
    const list = make("ul", "", { class: "files", "aria-label": "Files changed" });
    for (const [path, status, added, removed] of files) {
      const lines = added === null ? "" : ` +${added} −${removed}`;
      list.append(make("li", `${status} ${path}${lines}`));
    }
    return list;
  };

  const commandOf = (command, task) => {
    const element = make("details", "");
    const ended = command.passed ? "passed" : command.exit_code === null ? "failed" : `failed with ${command.exit_code}`;
    const summary = make("summary", `${ended} (${command.seconds} s): `);
    summary.append(make("code", command.command));
    element.append(summary);
    if (command.reason) element.append(make("p", command.reason));
    const output = scrolled("Output");
    if (command.left) output.append(`[${counted(command.left, "more character")} before this: \`minitask show ${quoted(task.name)} --output\` prints all]\n`);
    output.append(command.output || (command.left ? "" : "(no output)"));
    element.append(output);
    return element;
  };

  // A box of a graph leads to the task's row, and opens it.
  const reveal = (event) => {
    const box = event.target.closest("a[data-task]");
    if (!box) return;
    event.preventDefault();
    form.reset();
    form.elements.search.value = box.dataset.task;
    choose();
    const button = [...body.querySelectorAll(".open")].find((each) => each.title === box.dataset.task);
    if (!button) return;
    if (button.getAttribute("aria-expanded") === "false") button.click();
    button.focus();
    button.scrollIntoView({ block: "center" });
  };

  const follow = () => {
    let head = document.body.dataset.head, busy = false, wanted = head;
    const renew = async () => {
      if (busy || wanted === head) return;
      busy = true;
      try {
        const began = performance.now();
        const answer = await fetch(location.pathname, { cache: "no-store" });
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        head = page.body.dataset.head;
        for (const id of ["title", "figures"]) document.getElementById(id).replaceWith(document.importNode(page.getElementById(id), true));
        const focused = document.activeElement?.closest?.("#rows") && document.activeElement;
        const count = shown;
        read(page);
        choose();
        while (shown < count && shown < matching.length) extend();
        if (focused) (focused.isConnected ? focused : [...body.querySelectorAll(".open")].find((button) => button.title === focused.title))?.focus();
        tell("live", FOLLOWS);
        await new Promise((done) => setTimeout(done, Math.max(500, 3 * (performance.now() - began))));
      } catch (error) {
        tell("live", `Not updated: ${error.message}`);
        wanted = head;
      }
      busy = false;
      renew();
    };
    const events = new EventSource("events");
    events.addEventListener("open", () => tell("live", FOLLOWS));
    events.addEventListener("error", () => tell("live", "Not live: `minitask report --serve` has ended or cannot be reached"));
    events.addEventListener("head", (event) => { wanted = event.data; renew(); });
  };

  form.hidden = false;
  form.addEventListener("input", choose);
  document.getElementById("figures").parentNode.addEventListener("click", reveal);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    const next = shown;
    extend();
    if (more.hidden) body.querySelectorAll(".open")[next]?.focus();
  });
  read(document);
  choose();
  if ("head" in document.body.dataset) follow();
})();
