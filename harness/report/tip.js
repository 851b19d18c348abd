"use strict";
// The values under the pointer, for every page of the harness.

function nearest(xs, wanted) {
  let best = 0;
  for (let index = 1; index < xs.length; index += 1) {
    if (Math.abs(xs[index] - wanted) < Math.abs(xs[best] - wanted)) best = index;
  }
  return best;
}

/** Shows the tip beside a point of the window, inside of it. */
function showTip(x, y, ...children) {
  const tip = document.getElementById("tip");
  tip.replaceChildren(...children);
  tip.hidden = false;
  const fits = x + 16 + tip.offsetWidth < window.innerWidth - 8;
  tip.style.left = Math.max(4, fits ? x + 16 : x - tip.offsetWidth - 16) + "px";
  tip.style.top = Math.max(4, Math.min(y + 16, window.innerHeight - tip.offsetHeight - 8)) + "px";
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}
