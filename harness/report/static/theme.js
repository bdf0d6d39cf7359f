// Colours of the drawings: those of the style sheet, asked for anew when light turns to dark or the page is printed.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const repaints = new Set();

function repaint() {
  for (const paint of repaints) paint();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

const beforePrint = new Set();

addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  for (const prepare of beforePrint) prepare();
  repaint();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  repaint();
});
