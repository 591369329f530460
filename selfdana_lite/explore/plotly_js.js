// Unpacks plotly.js for every figure of the page. Nothing is fetched from anywhere.

const page = (globalThis.selfdanaLite ??= {});
page.plotly ??= new Promise((resolve) => (page.arrived = resolve));

async function unpack(packed) {
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const code = await new Response(unpacked).text();
  // As a function of its own, so that neither an AMD loader on the page nor other scripts get in its way.
  const plotly = new Function("window", "self", "module", `${code}\nreturn module.exports`);
  return plotly(globalThis, globalThis, { exports: {} });
}

// Without await: anywidget gives up a widget that takes more than two seconds here, as on a slow machine.
function initialize({ model }) {
  if (page.here) return; // another notebook on this page has brought it
  page.here = true;
  page.arrived(unpack(model.get("packed")));
}

export default { initialize };
