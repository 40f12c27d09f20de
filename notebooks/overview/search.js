// The search field. SECTIONS comes from sections.js: a list of { page, title, heading, anchor, text }.
const MOST = 20; // hits that are shown
const AROUND = 70; // characters of the excerpt before and after the first word
const field = document.getElementById("words");
const found = document.getElementById("found");
const list = document.getElementById("hits");

// One letter without case and accents: É is e, ₁ is 1, and both small sigmas are one.
const plain = (letter) => letter.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace("ς", "σ");
const fold = (text) => Array.from(text, plain).join("");

let folded; // the sections as they are searched, made when the field is first used
function prepare() {
  folded ??= SECTIONS.map((section) => ({
    section,
    head: fold(`${section.heading} ${section.title}`),
    body: fold(section.text),
  }));
}

// The sections that have all words: first those that have them in the heading or the title, then in the order of pages.
function search(query) {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return { words, hits: [] };
  prepare();
  const hits = folded.filter(({ head, body }) => words.every((word) => head.includes(word) || body.includes(word)));
  const inHead = ({ head }) => words.filter((word) => head.includes(word)).length;
  return { words, hits: hits.sort((one, other) => inHead(other) - inHead(one)).map(({ section }) => section) };
}

// [start, end] of every occurrence of the words in a text, in order, none inside of another one.
function places(text, words) {
  const starts = []; // for every character of the folded text, where in the text it comes from
  let whole = "";
  let at = 0;
  for (const letter of text) {
    const folding = plain(letter);
    for (let i = 0; i < folding.length; i++) starts.push(at);
    whole += folding;
    at += letter.length;
  }
  starts.push(at);
  const all = [];
  for (const word of words) {
    for (let i = whole.indexOf(word); i >= 0; i = whole.indexOf(word, i + word.length)) {
      all.push([starts[i], Math.max(starts[i + word.length], starts[i] + 1)]);
    }
  }
  all.sort((one, other) => one[0] - other[0] || other[1] - one[1]);
  return all.filter(([start], i) => all.slice(0, i).every(([, end]) => end <= start));
}

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function marked(text, words, from = 0, to = text.length) {
  const parts = [];
  for (const [start, end] of places(text, words)) {
    if (start < from || end > to) continue;
    parts.push(text.slice(from, start), element("mark", "", text.slice(start, end)));
    from = end;
  }
  return [...parts, text.slice(from, to)];
}

// The text around the first word, cut between words.
function excerpt(text, words) {
  const start = places(text, words)[0]?.[0] ?? 0;
  let from = Math.max(0, start - AROUND);
  let to = Math.min(text.length, start + 2 * AROUND);
  if (from > 0) from = text.indexOf(" ", from) + 1 || from;
  if (from > start) from = start;
  if (to < text.length) to = Math.max(text.lastIndexOf(" ", to), start + AROUND);
  return [from > 0 ? "… " : "", ...marked(text, words, from, to), to < text.length ? " …" : ""];
}

function show() {
  const { words, hits } = search(field.value);
  const links = hits.slice(0, MOST).map(({ page, title, heading, anchor, text }) => {
    const where = element("span", "where", ...marked(title, words));
    if (heading !== title) where.append(" › ", ...marked(heading, words));
    const link = element("a", "", where, element("span", "excerpt", ...excerpt(text, words)));
    link.href = anchor ? `${page}#${encodeURIComponent(anchor)}` : page;
    return element("li", "", link);
  });
  list.replaceChildren(...links);
  const more = hits.length > MOST ? `, the first ${MOST} of them here` : "";
  document.getElementById("count").textContent =
    hits.length === 0 ? "No section has all of these words." : `${hits.length} section${hits.length > 1 ? "s" : ""}${more}`;
  found.hidden = words.length === 0;
}

function close() {
  found.hidden = true;
}

field.addEventListener("input", show);
field.addEventListener("focus", show);
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault(); // Enter opens the first hit
  show();
  list.querySelector("a")?.click();
});
list.addEventListener("click", close); // a hit on this page
document.addEventListener("click", (event) => event.target.closest("search") || close());
document.addEventListener("keydown", (event) => {
  const inside = document.activeElement.closest("search");
  if (event.key === "/" && document.activeElement !== field && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  } else if (event.key === "Escape" && inside) {
    close();
    document.activeElement.blur();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && inside && !found.hidden) {
    event.preventDefault();
    const stops = [field, ...list.querySelectorAll("a")];
    const next = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    stops[Math.min(Math.max(next, 0), stops.length - 1)].focus();
  }
});
