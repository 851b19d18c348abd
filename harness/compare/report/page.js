// What the parts of the page share: elements, data, theme, copying and printing.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function swatch(colour, dash) {
  const line = drawn("line", { class: `s${colour} d${dash}`, x1: 0, x2: 26, y1: 4, y2: 4 });
  return drawn("svg", { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" }, line);
}

function dataOf(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function shownNumber(value, digits = 4) {
  if (value === null || !Number.isFinite(value)) return "–";
  const short = Number(value.toPrecision(digits));
  return Math.abs(short) >= 10000 ? short.toLocaleString("en") : String(short).replace("-", "−");
}

function startTheme() {
  const button = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  button.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  });
}

function startCopying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const command = button.previousElementSibling;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(command); // not every browser lets a file write to the clipboard
        button.textContent = "selected";
      }
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
  }
}

function startPrinting() {
  const folded = () => document.querySelectorAll("details.unfold:not([open])");
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...folded()];
    opened.forEach((details) => (details.open = true));
  });
  window.addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
}

startTheme();
startCopying();
startPrinting();
