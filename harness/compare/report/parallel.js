// The sweep at a glance: a group's line under the pointer, and values that are chosen to keep only their groups.

function startParallel() {
  const picture = document.querySelector("svg.parallel");
  if (!picture) return;
  const ways = [...picture.querySelectorAll(".way")];
  const values = [...picture.querySelectorAll("[data-axis]")];
  const kept = new Map(); // axis → its chosen values

  const keep = (label) => {
    const { axis, value } = label.dataset;
    const here = kept.get(axis) ?? new Set();
    if (!here.delete(value)) here.add(value);
    if (here.size) kept.set(axis, here);
    else kept.delete(axis);
    label.classList.toggle("chosen", here.has(value));
    label.setAttribute("aria-pressed", String(here.has(value)));
    for (const way of ways) {
      const own = way.dataset.values.split("\n");
      way.classList.toggle("off", ![...kept].every(([number, wanted]) => wanted.has(own[Number(number)])));
    }
  };
  for (const label of values) {
    label.setAttribute("tabindex", "0");
    label.setAttribute("role", "button");
    label.setAttribute("aria-pressed", "false");
    label.addEventListener("click", () => keep(label));
    label.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      keep(label);
    });
  }
  for (const way of ways) {
    way.addEventListener("pointermove", (event) => showTip(event.clientX, event.clientY, element("div", { class: "head" }, way.dataset.said)));
    way.addEventListener("pointerleave", hideTip);
  }
}

startParallel();
