// Arrows, Page Up and Down (which a presenter's remote sends) and the space bar move by one slide.
const STEPS = {ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1};
const slides = document.querySelectorAll("section");
addEventListener("keydown", event => {
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  const shown = Math.round(scrollY / innerHeight);
  (slides[shown + step] || slides[shown]).scrollIntoView();
});
