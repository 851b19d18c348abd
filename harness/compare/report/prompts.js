// The prompts on which a pair differs most, and on a click what both sides wrote. Texts of models are only ever text.

const SHORT = 700; // characters that are shown at first
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** A text with its control and format characters spelled out. */
function visible(text) {
  const parts = text.split(/([\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}])/u);
  return parts.map((part) => {
    if (part === "\n" || part === "\t" || !INVISIBLE.test(part)) return part;
    const code = part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return element("span", { class: "code" }, `U+${code}`);
  });
}

function textBox(text) {
  const box = element("div", {});
  const shown = element("div", { class: "text" }, ...visible(text.slice(0, SHORT)));
  box.append(shown);
  if (text.length > SHORT) {
    shown.append("…");
    const more = element("button", { type: "button", class: "more" }, `show all ${text.length.toLocaleString("en")} characters`);
    more.addEventListener("click", () => {
      shown.replaceChildren(...visible(text));
      more.remove();
    });
    box.append(more);
  }
  return box;
}

function answer(label, [seed, score, text], texts) {
  const who = element("span", {}, element("b", {}, label), seed === null ? "" : ` · seed ${seed}`);
  const told = element("span", {}, "score ", element("b", {}, shownNumber(score)));
  return element("div", { class: "said" }, element("p", {}, who, told), textBox(texts[text]));
}

function openedRow(pair, example, texts) {
  const asked = element("div", { class: "said asked" }, element("p", {}, element("b", {}, "prompt")), textBox(texts[example.prompt]));
  if (texts[example.truth]) asked.append(element("p", {}, element("b", {}, "expected")), textBox(texts[example.truth]));
  const sides = ["a", "b"].map((side) => {
    const answers = example[side].map((one) => answer(pair[side], one, texts));
    return element("div", {}, ...(answers.length ? answers : [element("p", { class: "quiet" }, `${pair[side]}: no answer`)]));
  });
  const cell = element("td", { colspan: "4" }, asked, element("div", { class: "sides" }, ...sides));
  return element("tr", { class: "opened" }, cell);
}

function twoPlaces(value) {
  return value.toFixed(2).replace("-", "−"); // a minus sign as wide as a plus
}

function promptRow(pair, [index, a, b, snippet, example], texts) {
  const opens = element("button", { type: "button", class: "opens", "aria-expanded": "false" }, ...visible(snippet || `prompt ${index}`));
  const gap = a - b;
  const cell = (text, tone = "") => element("td", { class: `num ${tone}` }, text);
  const sign = gap > 0 ? "▲ +" : "▼ ";
  const difference = cell(sign + twoPlaces(gap), gap > 0 ? "up" : "down");
  const row = element("tr", { "data-prompt": snippet, "data-a": a, "data-b": b, "data-gap": Math.abs(gap) },
    element("td", {}, opens), cell(twoPlaces(a)), cell(twoPlaces(b)), difference);
  if (!example) {
    opens.disabled = true;
    opens.title = "Its texts are left out, to keep this file small.";
  }
  opens.addEventListener("click", () => {
    const open = opens.getAttribute("aria-expanded") === "true";
    opens.setAttribute("aria-expanded", String(!open));
    if (open) row.nextElementSibling.remove();
    else row.after(openedRow(pair, example, texts));
  });
  return row;
}

/** A group's label that a narrow column may break after its signs, and nowhere else. */
function breakable(label) {
  return label.split(/(?<=[=_.])/).flatMap((part) => [part, element("wbr")]);
}

function showPair(table, pair, rows, texts) {
  const head = (key, label, kind) => {
    const button = element("button", { type: "button", "data-sort": key }, ...breakable(label));
    return element("th", { scope: "col", "aria-sort": key === "gap" ? "descending" : "none", class: kind }, button);
  };
  const heads = [head("prompt", "prompt", ""), head("a", pair.a, "num"), head("b", pair.b, "num"), head("gap", "difference", "num")];
  table.tHead.rows[0].replaceChildren(...heads);
  table.tBodies[0].replaceChildren(...rows.map((row) => promptRow(pair, row, texts)));
  startSorting(table);
}

function startPrompts() {
  const table = document.getElementById("prompt-table");
  if (!table) return;
  const { pairs, texts } = dataOf("prompt-data");
  const said = [...document.querySelectorAll(".pair-said")];
  const filter = document.getElementById("prompt-filter");
  const count = document.getElementById("prompt-count");
  const select = document.getElementById("pair");
  const show = (number) => {
    said.forEach((each, place) => (each.hidden = place !== number));
    const [a, b] = [...said[number].querySelectorAll(".pair-name b")].map((each) => each.textContent);
    showPair(table, { a, b }, pairs[number], texts);
    filterRows(table, filter.value, count);
  };
  filter.addEventListener("input", () => filterRows(table, filter.value, count));
  if (select) select.addEventListener("change", () => show(Number(select.value)));
  show(0);
}

startPrompts();
