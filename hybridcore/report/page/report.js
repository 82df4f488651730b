"use strict";
// All text is put in as text: what a model wrote is never read as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const ROWS = 20; // samples on screen at once
const KINDS = {
  s: "SLM, trusted",
  a: "SLM, accepted by the LLM",
  l: "LLM",
  r: "LLM, in place of a rejected draft",
};
const $ = (id) => document.getElementById(id);

function make(tag, className, ...parts) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...parts.filter((part) => part !== null && part !== undefined));
  return element;
}

// ---- pieces: compressed parts of the page, read when they are looked at

const pieces = new Map();

function piece(name) {
  if (!pieces.has(name)) {
    if (pieces.size > 60) pieces.delete(pieces.keys().next().value);
    pieces.set(name, inflated(name));
  }
  return pieces.get(name);
}

async function inflated(name) {
  const element = $(name);
  if (!element) return null;
  const bytes = Uint8Array.from(atob(element.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("deflate-raw"))).json();
}

async function answerAt(task, cell, position) {
  const number = Math.floor(position / DATA.piece);
  const part = await piece(`answers-${task}-${cell}-${number}`);
  return { texts: part.texts, ...part.answers[position % DATA.piece] };
}

async function documentAt(task, number) {
  const order = await places(`documents-${task}`);
  const position = order.get(number);
  if (position === undefined) return null;
  const part = await piece(`documents-${task}-${Math.floor(position / DATA.piece)}`);
  return part[position % DATA.piece];
}

const orders = new Map();

async function places(name) {
  if (!orders.has(name)) {
    const numbers = (await piece(name)) || [];
    orders.set(name, new Map(numbers.map((number, position) => [number, position])));
  }
  return orders.get(name);
}

// ---- the index of a cell: columns, one entry for each answer

const indexes = new Map();

async function indexOf(task, cell) {
  const name = `index-${task}-${cell}`;
  if (!indexes.has(name)) {
    const index = await inflated(name);
    index.at = new Map(
      index.document.map((number, i) => [`${number}.${index.repeat[i]}`, i]),
    );
    indexes.set(name, index);
  }
  return indexes.get(name);
}

// whether a task's documents are right or wrong, or have a number each
const isJudged = (task) => DATA.judged[Number(task)];

// ---- what is shown

const view = { page: 0, found: [], turn: 0, shown: 0 }; // turns of searching and showing

function options(select, entries) {
  const before = select.value;
  select.replaceChildren(
    ...entries.map(([value, label]) => {
      const option = make("option", "", label);
      option.value = value;
      return option;
    }),
  );
  if (entries.some(([value]) => String(value) === before)) select.value = before;
}

function cellsOf(task) {
  return DATA.cells.filter((cell) => cell.answered.includes(task));
}

function fillCells() {
  const task = Number($("s-task").value);
  const fresh = $("s-cell").value === "";
  options($("s-cell"), cellsOf(task).map((cell) => [cell.place, cell.label]));
  if (fresh && DATA.first[task] !== null) $("s-cell").value = DATA.first[task];
  fillBeside();
}

function fillBeside() {
  const here = $("s-cell").value;
  const others = cellsOf(Number($("s-task").value));
  options($("s-beside"), [
    ["", "–"],
    ...others.filter((c) => String(c.place) !== here).map((c) => [c.place, c.label]),
  ]);
  fillShow();
}

function fillShow() {
  const shown = [["all", "all"]];
  if (isJudged($("s-task").value)) {
    shown.push(["right", "correct"], ["wrong", "not correct"]);
    if ($("s-beside").value !== "") {
      shown.push(["won", "correct here only"], ["lost", "correct beside only"]);
    }
  }
  options($("s-show"), shown);
}

const TESTS = {
  all: () => true,
  right: (here) => here === 1,
  wrong: (here) => here !== null && here < 1,
  won: (here, there) => here === 1 && there !== null && there < 1,
  lost: (here, there) => there === 1 && here !== null && here < 1,
};

async function search() {
  const turn = ++view.turn;
  const task = $("s-task").value;
  const cell = $("s-cell").value;
  if (task === "" || cell === "") {
    $("s-count").textContent = "no samples: neither logged samples nor a trace was found";
    return;
  }
  const index = await indexOf(task, cell);
  const other = $("s-beside").value;
  const beside = other === "" ? null : await indexOf(task, other);
  const test = TESTS[$("s-show").value] || TESTS.all;
  let found = [...index.document.keys()].filter((i) => {
    const j = beside && beside.at.get(`${index.document[i]}.${index.repeat[i]}`);
    return test(index.value[i], j === undefined || j === null ? null : beside.value[j]);
  });
  found = await matching(found, index, task, cell, turn);
  if (turn !== view.turn) return;
  view.found = ordered(found, index);
  view.page = 0;
  await show();
}

async function matching(found, index, task, cell, turn) {
  const wanted = $("s-find").value.trim().toLowerCase();
  if (wanted === "") return found;
  if (/^#\d+$/.test(wanted)) {
    return found.filter((i) => index.document[i] === Number(wanted.slice(1)));
  }
  const kept = [];
  for (const i of found) {
    if (turn !== view.turn) return [];
    const answer = await answerAt(task, cell, i);
    const asked = await documentAt(task, index.document[i]);
    const text = [textOf(answer), asked && asked.prompt, asked && asked.choices.join("\n")];
    if (text.join("\n").toLowerCase().includes(wanted)) kept.push(i);
  }
  return kept;
}

function ordered(found, index) {
  const by = $("s-order").value;
  if (by === "document") return found;
  const key = {
    share: (i) => (index.units[i] ? index.llm[i] / index.units[i] : -1),
    replaced: (i) => index.replaced[i],
    units: (i) => index.units[i],
  }[by];
  return found.sort((a, b) => key(b) - key(a) || a - b);
}

async function show() {
  const turn = ++view.turn;
  const [task, cell, other] = ["s-task", "s-cell", "s-beside"].map((id) => $(id).value);
  const total = view.found.length;
  const start = view.page * ROWS;
  const here = view.found.slice(start, start + ROWS);
  const cards = await Promise.all(here.map((i) => card(task, cell, other, i)));
  if (turn !== view.turn) return;
  $("cards").replaceChildren(...cards);
  const last = start + here.length;
  $("s-count").textContent = total
    ? `${(start + 1).toLocaleString("en")}–${last.toLocaleString("en")} of ${total.toLocaleString("en")}`
    : "none";
  $("s-previous").disabled = start === 0;
  $("s-next").disabled = last >= total;
  const index = await indexOf(task, cell);
  $("scale").hidden = !index.signals || $("s-shade").value !== "signal";
  if (index.signals) {
    const [low, high] = index.signals.map((s) => Number(s.toPrecision(3)));
    $("scale").querySelector("em").textContent = `${low} to ${high}`;
  }
  view.shown = turn;
}

// ---- one sample

async function card(task, cell, other, i) {
  const index = await indexOf(task, cell);
  const [number, repeat] = [index.document[i], index.repeat[i]];
  const asked = await documentAt(task, number);
  const article = make("article", "card");
  article.dataset.document = number;
  const name = make("b", "", `#${number}`);
  article.append(make("header", "", name, repeat ? `repeat ${repeat}` : null));
  if (asked) article.append(prompt(asked));
  const answers = make("div", "answers", await answered(task, cell, i, asked));
  if (other !== "") {
    const there = (await indexOf(task, other)).at.get(`${number}.${repeat}`);
    answers.append(
      there === undefined
        ? make("p", "expected", "not answered")
        : await answered(task, other, there, asked),
    );
  }
  article.append(answers);
  if (asked && asked.kind === "generation" && asked.target) {
    article.append(make("p", "expected", `expected: ${asked.target.trim()}`));
  }
  return article;
}

function prompt(asked) {
  const limit = 700;
  const text = asked.prompt.trim();
  if (asked.kind === "text" || text.length <= limit) return make("div", "prompt", text);
  const rest = make("details", "prompt", make("summary", "", "whole prompt"), text);
  return make("div", "", rest, make("div", "prompt", `… ${text.slice(-limit)}`));
}

async function answered(task, cell, i, asked) {
  const index = await indexOf(task, cell);
  const answer = await answerAt(task, cell, i);
  const box = make("section", "answer");
  box.append(facts(index, i, answer, task, $("s-beside").value === "" ? null : cell));
  if (answer.scored) box.append(...scored(answer, asked));
  if (answer.tokens) box.append(tokens(answer, index.signals));
  else if (answer.text) box.append(make("p", "text", answer.text));
  return box;
}

function facts(index, i, answer, task, cell) {
  const header = make("header", "");
  if (cell !== null) header.append(make("b", "", DATA.cells[cell].label));
  const value = index.value[i];
  if (value !== null && isJudged(task)) {
    const [kind, said] = value ? ["right", "correct"] : ["wrong", "not correct"];
    header.append(make("span", `chip ${kind}`, said));
  } else if (value !== null) {
    header.append(make("span", "chip", String(value)));
  }
  if (index.units[i]) {
    const share = ((100 * index.llm[i]) / index.units[i]).toFixed(1);
    header.append(make("span", "", `LLM ${share} % of ${index.units[i]} tokens`));
  }
  const replaced = index.replaced[i];
  if (replaced) {
    header.append(make("span", "", `${replaced} draft${replaced > 1 ? "s" : ""} replaced`));
  }
  if (answer.finish) header.append(make("span", "", `ended by ${answer.finish}`));
  if (answer.extracted && answer.extracted !== textOf(answer)) {
    header.append(make("span", "", `read as ${answer.extracted}`));
  }
  return header;
}

function textOf(answer) {
  if (!answer.tokens) return answer.text || "";
  return answer.tokens.texts.map((t) => answer.texts[t]).join("");
}

function tokens(answer, range) {
  const { texts, kinds, signals, replaced } = answer.tokens;
  const box = make("p", $("s-shade").value === "signal" ? "text by-signal" : "text");
  texts.forEach((place, i) => {
    if (replaced[i] !== undefined) box.append(make("s", "t gone", visible(replaced[i])));
    const token = make("span", `t k-${kinds[i]}`, ...lines(answer.texts[place]));
    const signal = signals && signals[i];
    const said = [JSON.stringify(answer.texts[place]), KINDS[kinds[i]]];
    if (replaced[i] !== undefined) said.push(`rejected ${JSON.stringify(replaced[i])}`);
    if (typeof signal === "number") {
      said.push(`signal ${signal}`);
      const width = range[1] - range[0] || 1;
      token.style.setProperty("--g", ((signal - range[0]) / width).toFixed(3));
    }
    token.dataset.tip = said.join("\n");
    box.append(token);
  });
  return box;
}

function lines(text) {
  // a line break is shown, then made; a token without text of its own is a dot
  if (text === "") return [make("span", "mark", "·")];
  return text
    .split(/(\n)/)
    .flatMap((part) => (part === "\n" ? [make("span", "mark", "↵"), "\n"] : part ? [part] : []));
}

const visible = (text) => text.replaceAll("\n", "↵").trim() || "·";

function scored(answer, asked) {
  const known = answer.scored.map((s) => s.log_likelihood ?? -Infinity);
  const best = known.indexOf(Math.max(...known));
  return answer.scored.map((one, i) => {
    const isChoice = asked && asked.kind === "choice";
    const box = make("div", "choice");
    if (isChoice && i === asked.gold) box.classList.add("gold");
    if (isChoice && i === best) box.classList.add("chosen");
    if (isChoice) box.append(make("p", "", (asked.choices[i] ?? "").trim()));
    const said = [`log-likelihood ${one.log_likelihood?.toFixed(2) ?? "–"}`];
    if (isChoice && i === best) said.push("most likely");
    if (isChoice && i === asked.gold) said.push("right answer");
    if (one.kinds) {
      const count = [...one.kinds].filter((kind) => kind === "l").length;
      said.push(`${count} of ${one.kinds.length} tokens by the LLM`);
    }
    box.append(make("small", "", said.join(" · ")));
    if (one.kinds) box.append(squares(one));
    return box;
  });
}

function squares(one) {
  const box = make("div", "squares");
  [...one.kinds].forEach((kind, i) => {
    const square = make("i", `k-${kind}`);
    const signal = one.signals && one.signals[i];
    const said = [`token ${i + 1}`, kind === "l" ? "scored by the LLM" : "scored by the SLM"];
    if (typeof signal === "number") said.push(`signal ${signal}`);
    square.dataset.tip = said.join("\n");
    box.append(square);
  });
  return box;
}

// ---- tables, figures, tips

function sortTable(button) {
  const table = button.closest("table");
  const column = Number(button.dataset.sort);
  const way = button.dataset.way === "-1" ? 1 : -1;
  table.querySelectorAll("thead button").forEach((b) => delete b.dataset.way);
  button.dataset.way = way;
  const key = (row) => {
    if (column < 0) return row.querySelector("th").textContent;
    const said = row.querySelectorAll("td")[column].dataset.key;
    return said === "" ? -Infinity : Number(said);
  };
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => way * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  table.tBodies[0].append(...rows);
}

function rowOf(target) {
  const point = target.closest("[id^='point-']");
  return point && document.querySelector(`tr[data-point="${point.id.slice(6)}"]`);
}

function tipOf(target) {
  const row = rowOf(target);
  if (!row) return target.closest("[data-tip]")?.dataset.tip;
  const heads = row.closest("table").querySelectorAll("thead th");
  const cells = [...row.querySelectorAll("td")].slice(0, 3).map((cell, i) => {
    const parts = [...cell.querySelectorAll(".value, small")].map((e) => e.textContent.trim());
    return `${heads[i + 1].textContent.trim()} ${parts[0]}${parts[1] ? ` (${parts[1]})` : ""}`;
  });
  const label = row.querySelector("th").childNodes[1].textContent;
  return [label, ...cells.filter((line) => !line.endsWith(" –"))].join("\n");
}

function light(point) {
  document.querySelectorAll(".lit").forEach((element) => element.classList.remove("lit"));
  if (!point) return;
  document.querySelector(`tr[data-point="${point}"]`)?.classList.add("lit");
  $(`point-${point}`)?.classList.add("lit");
}

document.addEventListener("pointerover", ({ target, clientX, clientY }) => {
  const tip = tipOf(target);
  light(target.closest("tr[data-point]")?.dataset.point ?? rowOf(target)?.dataset.point);
  $("tip").hidden = !tip;
  if (!tip) return;
  $("tip").textContent = tip;
  const { offsetWidth: width, offsetHeight: height } = $("tip");
  const above = clientY + 18 + height > innerHeight;
  $("tip").style.left = `${Math.max(4, Math.min(clientX + 12, innerWidth - width - 8))}px`;
  $("tip").style.top = `${above ? clientY - height - 12 : clientY + 18}px`;
});

document.addEventListener("click", async ({ target }) => {
  if (target.matches("[data-sort]")) sortTable(target);
  if (target.matches("[role=tab]")) await choose(Number(target.dataset.task));
  const point = rowOf(target)?.dataset.point;
  if (point) {
    await choose(Number(point.split("-")[0]), point.split("-")[1]);
    $("samples").scrollIntoView();
  }
});

async function choose(task, cell) {
  document.querySelectorAll("[role=tab]").forEach((tab) => {
    tab.setAttribute("aria-selected", String(Number(tab.dataset.task) === task));
  });
  document.querySelectorAll("article.task").forEach((article) => {
    article.hidden = Number(article.dataset.task) !== task;
  });
  $("s-task").value = task;
  fillCells();
  if (cell !== undefined && cellsOf(task).some((c) => String(c.place) === cell)) {
    $("s-cell").value = cell;
    fillBeside();
  }
  await search();
}

$("theme").addEventListener("click", () => {
  const order = ["", "light", "dark"];
  const root = document.documentElement;
  const next = order[(order.indexOf(root.dataset.theme ?? "") + 1) % order.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  $("theme").textContent = next ? `Theme: ${next}` : "Theme";
});

// ---- start

options($("s-task"), DATA.tasks.map((name, place) => [place, name]));
fillCells();
$("s-task").addEventListener("change", () => choose(Number($("s-task").value)));
$("s-cell").addEventListener("change", () => (fillBeside(), search()));
$("s-beside").addEventListener("change", () => (fillShow(), search()));
for (const id of ["s-show", "s-order"]) $(id).addEventListener("change", search);
$("s-find").addEventListener("change", search);
$("s-find").addEventListener("search", search);
$("s-shade").addEventListener("change", show);
for (const [id, step] of [["s-previous", -1], ["s-next", 1]]) {
  $(id).addEventListener("click", async () => {
    view.page += step;
    await show();
    $("samples").scrollIntoView();
  });
}
search().then(() => { document.documentElement.dataset.ready = "yes"; });
