// Adds to a page that is complete without it: theme, sorting, filtering, copying, downloads.
// Every control is made here, so that a page without scripts has none that does nothing.
(() => {
  "use strict";
  const root = document.documentElement;
  const KEY = "kvgauge-theme";
  const THEMES = ["system", "light", "dark"];

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function button(text, press, attributes = {}) {
    const element = make("button", { type: "button", ...attributes }, text);
    element.addEventListener("click", () => press(element));
    return element;
  }

  // A file or a private window may have no storage: then a theme lasts as long as the page.
  function recalled() {
    try { return localStorage.getItem(KEY); } catch { return null; }
  }

  function remember(theme) {
    try { localStorage.setItem(KEY, theme); } catch { /* shown all the same */ }
  }

  function show(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  const known = (theme) => (THEMES.includes(theme) ? theme : "system");
  show(known(recalled())); // before anything is painted

  const status = make("p", { class: "hidden", role: "status" });
  const say = (text) => { status.textContent = text; };

  function addThemes() {
    const group = make("div", { class: "controls themes", role: "group", "aria-label": "Theme" });
    const press = (theme) => {
      show(theme);
      for (const one of group.children) one.setAttribute("aria-pressed", one.dataset.sets === theme);
    };
    for (const theme of THEMES) {
      const text = theme[0].toUpperCase() + theme.slice(1);
      group.append(button(text, () => { press(theme); remember(theme); }, { "data-sets": theme }));
    }
    press(known(recalled()));
    document.querySelector("header").append(group);
  }

  // Rows that explain the row above them stay with it, in every order.
  function blocks(body) {
    const found = [];
    for (const row of body.rows) {
      if (row.matches(".group")) continue;
      if (found.length && row.matches(".issues, .half")) found.at(-1).push(row);
      else found.push([row]);
    }
    return found;
  }

  const UNITS = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, us: 1e3, ms: 1e6, s: 1e9 };
  const LEADING = /^([-−]?[\d.]+(?:e[-+]?\d+)?)\s*([KMG]iB|[mu]?s\b)?/; // "8.52 [7.8, 9]", "7.6 ms", "94 %"
  const SIZE = /([\d.]+) ([KMG]?i?B)\b/; // "page 64 KiB scattered"
  const words = new Intl.Collator("en", { numeric: true });

  function read(row, column) {
    const cell = row.cells[column];
    const text = cell ? (cell.dataset.value ?? cell.textContent).trim() : "";
    const found = (cell && cell.matches(".number, [data-value]") ? LEADING : SIZE).exec(text);
    return { text, number: found ? Number(found[1].replace("−", "-")) * (UNITS[found[2]] || 1) : NaN };
  }

  function compare(one, other, direction) {
    const lacking = Number.isNaN(one.number) - Number.isNaN(other.number);
    if (lacking) return lacking; // what has no number comes last, up and down
    return direction * (one.number - other.number || words.compare(one.text, other.text));
  }

  function addSorting(table) {
    const headers = [...table.tHead.rows[0].cells];
    const written = new Map([...table.tBodies].map((body) => [body, blocks(body)]));
    const press = (header, column) => {
      const before = header.getAttribute("aria-sort");
      const order = { ascending: "descending", descending: "" }[before] ?? "ascending";
      for (const one of headers) one.removeAttribute("aria-sort");
      if (order) header.setAttribute("aria-sort", order);
      for (const [body, rows] of written) {
        const keyed = rows.map((block) => [read(block[0], column), block]);
        if (order) keyed.sort(([one], [other]) => compare(one, other, order === "ascending" ? 1 : -1));
        body.append(...keyed.flatMap(([, block]) => block));
      }
      const name = header.textContent.trim();
      say(order ? `Sorted by ${name}, ${order}, within each group` : "In the order of the report");
    };
    headers.forEach((header, column) => {
      const sort = button("", () => press(header, column), { class: "sort" });
      sort.append(...header.childNodes);
      header.append(sort);
    });
  }

  function addFilter(table, number) {
    const id = `filter-${number}`;
    const what = table.dataset.filter;
    const rows = [...table.tBodies].flatMap((body) => blocks(body).map((block) => {
      const heading = body.querySelector(".group");
      const text = [heading, ...block].map((row) => (row ? row.textContent : "")).join(" ");
      return { body, block, text: text.replace(/\s+/g, " ").toLowerCase() };
    }));
    const input = make("input", { id, type: "search", autocomplete: "off", spellcheck: "false" });
    const count = make("output", { for: id, "aria-live": "polite" });
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const shown = rows.filter((row) => wanted.every((word) => row.text.includes(word)));
      const bodies = new Set(shown.map((row) => row.body));
      const kept = new Set(shown);
      for (const row of rows) for (const line of row.block) line.hidden = !kept.has(row);
      for (const body of table.tBodies) body.hidden = !bodies.has(body);
      count.textContent = wanted.length ? `${shown.length} of ${rows.length} ${what} shown` : "";
    });
    const label = make("label", { for: id }, `Only ${what} with all of these words`);
    (table.closest(".scroll") || table).before(make("div", { class: "filter" }, label, input, count));
  }

  async function copied(source) {
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      return true;
    } catch { // no clipboard, or not allowed: select it, for the older way or the reader's own keys
      getSelection().selectAllChildren(source);
      return document.execCommand("copy");
    }
  }

  function addCopying(source) {
    const frame = make("div", { class: "copyable" });
    const copy = button("Copy", async (pressed) => {
      const done = await copied(source);
      say(done ? "The command is on the clipboard" : "The command is selected: copy it with Ctrl+C");
      pressed.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { pressed.textContent = "Copy"; }, 2000);
    }, { class: "controls" });
    source.replaceWith(frame);
    frame.append(source, copy);
  }

  function addDownloads(blocks) {
    const place = document.querySelector("main > section:last-of-type");
    if (!place || !blocks.length || all("a[download]").length) return; // links to files need no script
    const run = document.title.replace(/[^\w.-]+/g, "-").slice(0, 80);
    const group = make("div", { class: "controls saving", role: "group", "aria-label": "Download" });
    for (const block of blocks) {
      const ending = block.type.split("/")[1];
      group.append(button(`Download ${block.id} (${ending.toUpperCase()})`, () => {
        const url = URL.createObjectURL(new Blob([block.textContent], { type: block.type }));
        make("a", { href: url, download: `${run}-${block.id}.${ending}` }).click();
        setTimeout(() => URL.revokeObjectURL(url), 10000);
      }));
    }
    place.append(group);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(status);
    addThemes();
    all("table.sortable").forEach(addSorting);
    all("table[data-filter]").forEach(addFilter);
    all("pre.command").forEach(addCopying);
    addDownloads(all('script[type="application/json"][id], script[type="text/csv"][id]'));
  });
})();
