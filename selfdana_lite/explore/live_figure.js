// A plotly figure on the screen. plotly.js itself comes once a page, however many figures there are: see plotly_js.js.

const page = (globalThis.selfdanaLite ??= {});
page.plotly ??= new Promise((resolve) => (page.arrived = resolve));
const CONFIG = { displaylogo: false, responsive: true };

// ipywidgets leaves the handle of a slider without a name; a screen reader shall hear what stands beside it. A slider may come
// to the page after the figure, so whatever changes there is a reason to look again, a little later and once for many changes.
function nameSliders() {
  page.naming = undefined;
  for (const handle of document.querySelectorAll(".widget-slider [role=slider]:not([aria-label])")) {
    handle.setAttribute("aria-label", handle.closest(".widget-slider").querySelector(".widget-label")?.textContent ?? "");
  }
}

page.namer ??= new MutationObserver(() => (page.naming ??= setTimeout(nameSliders, 200)));

function render({ model, el }) {
  page.namer.observe(document.body, { childList: true, subtree: true });
  const chart = document.createElement("div");
  const sentence = document.createElement("p");
  const name = `live-figure-${(page.figures = (page.figures ?? 0) + 1)}`;
  sentence.id = name;
  sentence.setAttribute("aria-live", "polite");
  chart.setAttribute("role", "img");
  el.classList.add("live-figure");
  el.replaceChildren(chart, sentence);

  let plotly, shown, gone = false, drawing = Promise.resolve();

  function say() {
    sentence.removeAttribute("role"); // where an earlier drawing failed
    sentence.textContent = model.get("text");
    if (model.get("text")) {
      chart.removeAttribute("aria-label");
      chart.setAttribute("aria-labelledby", name);
    } else {
      chart.removeAttribute("aria-labelledby");
      chart.setAttribute("aria-label", model.get("figure").layout?.title?.text ?? "A figure");
    }
  }

  async function draw() {
    const serial = model.get("serial");
    if (gone || serial === shown) return; // a later message has been drawn already
    const { data, layout } = structuredClone(model.get("figure")); // plotly writes into what it is given
    const start = performance.now();
    await plotly.react(chart, data, layout, CONFIG);
    if (shown === undefined) chart.on("plotly_click", report);
    shown = serial;
    el.dataset.drawn = serial;
    model.set("drawn", { serial, ms: performance.now() - start });
    model.save_changes();
  }

  function report({ points: [point] }) {
    const { curveNumber, pointNumber, x, y, customdata } = point;
    const plain = ArrayBuffer.isView(customdata) ? Array.from(customdata) : (customdata ?? null);
    const click = (model.get("clicked").click ?? 0) + 1; // so that a second click on the same point is news too
    model.set("clicked", { click, curve: curveNumber, point: pointNumber, x, y, customdata: plain });
    model.save_changes();
  }

  function update() {
    const serial = model.get("serial");
    say();
    chart.setAttribute("aria-busy", "true"); // the words are ahead of the drawing
    drawing = drawing.then(draw).catch((error) => {
      sentence.setAttribute("role", "alert");
      sentence.textContent = `This figure could not be drawn: ${error}`;
      console.error(error);
    }).then(() => chart.setAttribute("aria-busy", String(serial !== model.get("serial"))));
  }

  drawing = page.plotly.then((arrived) => {
    plotly = arrived;
    chart.classList.remove("live-figure-waiting");
    chart.textContent = "";
  });
  if (!page.here) {
    chart.classList.add("live-figure-waiting");
    chart.style.minHeight = `${model.get("figure").layout?.height ?? 300}px`;
    chart.textContent = "The figure is on its way. Without a kernel, run this cell.";
    drawing = drawing.then(() => (chart.style.minHeight = ""));
  }
  update();
  model.on("change:serial", update);
  // A figure without a width of its own fills its place, which has no size yet in a tab that is not open.
  const resized = new ResizeObserver(() => {
    if (shown !== undefined && !chart.layout.width && el.clientWidth) plotly.Plots.resize(chart);
  });
  resized.observe(el);
  return () => {
    gone = true;
    resized.disconnect();
    model.off("change:serial", update);
    plotly?.purge(chart);
  };
}

export default { render };
