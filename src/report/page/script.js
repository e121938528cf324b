"use strict";
(() => {
  const value = cell => cell.dataset.v ?? cell.textContent.trim();
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y) ? x - y : a.localeCompare(b, "en", { numeric: true });
  };
  // A heading becomes a button that sorts: ascending, then descending.
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map(row => [value(row.cells[column]), row]);
        rows.sort(([a], [b]) => up ? compare(a, b) : compare(b, a));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }
  // Paper shows what is folded away; afterwards it is as it was.
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open], .reference)").forEach(part => { part.open = true; part.dataset.folded = ""; }));
  addEventListener("afterprint", () => document.querySelectorAll("details[data-folded]").forEach(part => { part.open = false; delete part.dataset.folded; }));
  const find = document.getElementById("find");
  if (!find) return;
  const state = document.getElementById("find-state");
  const found = document.getElementById("found");
  const rows = [...document.querySelectorAll("#needing tbody tr")].map(row => [row, row.textContent.toLowerCase(), row.dataset.state]);
  const search = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text, of] of rows) {
      row.hidden = !((state.value === "" || state.value === of) && words.every(word => text.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    found.textContent = words.length || state.value ? `${shown} of ${rows.length} shown` : "";
  };
  find.addEventListener("input", search);
  state.addEventListener("change", search);
  // A link to an account, or to the accounts with a cause, shows them whatever was searched for before.
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    if (link.dataset.find !== undefined) { find.value = link.dataset.find; state.value = ""; search(); }
    else if (link.hash.startsWith("#account-")) { find.value = ""; state.value = ""; search(); }
  });
})();
