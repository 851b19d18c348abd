// Tables that sort by a click on a header (a button, so that the keyboard does too) and filter by a text.

function startSorting(table) {
  const heads = [...table.querySelectorAll("thead th")];
  for (const head of heads) {
    const button = head.querySelector("button[data-sort]");
    if (!button) continue;
    button.addEventListener("click", () => {
      const first = head.classList.contains("num") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.filter((each) => each.hasAttribute("aria-sort")).forEach((each) => each.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", order);
      sortRows(table, button.dataset.sort, order === "ascending" ? 1 : -1);
    });
  }
}

function sortRows(table, key, sign) {
  const body = table.tBodies[0];
  const rows = [...body.rows].filter((row) => row.dataset[key] !== undefined);
  const numeric = rows.every((row) => row.dataset[key] === "nan" || !Number.isNaN(Number(row.dataset[key])));
  rows.sort((one, other) => {
    const a = one.dataset[key];
    const b = other.dataset[key];
    if (!numeric) return sign * a.localeCompare(b, "en", { numeric: true });
    if (a === "nan" || b === "nan") return (a === "nan") - (b === "nan");
    return sign * (Number(a) - Number(b));
  });
  for (const row of rows) {
    const below = row.nextElementSibling; // what a row has opened goes with it
    body.append(row);
    if (below && below.classList.contains("opened")) body.append(below);
  }
}

function filterRows(table, text, count) {
  const wanted = text.trim().toLowerCase();
  let shown = 0;
  let all = 0;
  for (const row of table.tBodies[0].rows) {
    if (row.classList.contains("opened")) {
      row.hidden = row.previousElementSibling.hidden;
      continue;
    }
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    all += 1;
    shown += row.hidden ? 0 : 1;
  }
  count.textContent = wanted ? `${shown} of ${all}` : "";
}

function startTables() {
  startSorting(document.getElementById("group-table"));
  for (const input of document.querySelectorAll("[data-filter]")) {
    const id = input.dataset.filter;
    const count = document.querySelector(`[data-count="${id}"]`);
    input.addEventListener("input", () => filterRows(document.getElementById(id), input.value, count));
  }
}

startTables();
