// The drawing of the leads, which says what was clicked, and the same in words, which a screen reader hears at each change.
function render({ model, el }) {
  const drawing = document.createElement("div");
  const sentence = document.createElement("p");
  sentence.setAttribute("aria-live", "polite");
  sentence.style.margin = "0";
  sentence.style.maxWidth = "480px";
  el.replaceChildren(drawing, sentence);
  function update() {
    drawing.innerHTML = model.get("svg");
    sentence.textContent = model.get("text");
    el.dataset.drawn = Number(el.dataset.drawn ?? 0) + 1;
  }
  drawing.addEventListener("click", ({ target }) => {
    const lead = target.closest("[data-lead]");
    if (lead) model.send({ lead: lead.dataset.lead });
  });
  update();
  model.on("change:svg", update);
  return () => model.off("change:svg", update);
}
export default { render };
