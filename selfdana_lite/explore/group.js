// A box of ipywidgets has no name, and its toggle buttons do not say which is chosen: here a screen reader hears both.
function render({ model, el }) {
  el.style.display = "none";
  let asked;
  const changed = new MutationObserver(([{ target }]) => press(target.closest("[role=group]")));
  function press(box) {
    for (const button of box.querySelectorAll(".widget-toggle-buttons button")) {
      button.setAttribute("aria-pressed", button.classList.contains("mod-active"));
    }
  }
  function name() {
    const box = el.closest(".widget-box, .widget-gridbox");
    if (!box) return void (asked = requestAnimationFrame(name)); // this gets its place in the box after its rendering
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", model.get("name"));
    press(box);
    changed.observe(box, { subtree: true, attributeFilter: ["class"] });
  }
  name();
  return () => {
    cancelAnimationFrame(asked);
    changed.disconnect();
  };
}
export default { render };
