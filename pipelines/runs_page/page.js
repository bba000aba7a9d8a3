"use strict";
const runs = JSON.parse(document.getElementById("runs").textContent);
runs.forEach((run, i) => { run.at = i; });
const OWN = "";  // each task's own first metric
const GOOD = new Set(["pushed", "blessed", "nothing new"]), BAD = new Set(["rejected", "failed", "forced", "damaged"]);
const state = { sort: "started", down: true, task: "", metric: OWN, ticked: new Set() };
// One of each: making them is what costs.
const natural = new Intl.Collator("en", { numeric: true }).compare, whole = new Intl.NumberFormat("en");
const at = (id) => document.getElementById(id);
const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const shown = (value) => value == null ? "—" : typeof value !== "number" ? escaped(value)
  : Number.isInteger(value) ? whole.format(value) : String(Number(value.toPrecision(4)));
const metricOf = (run) => state.metric || run.metric;
const valueOf = (run) => run.metrics[metricOf(run)];
const COLUMNS = [
  ["run", "Run", (r) => r.run, "name"], ["started", "Started", (r) => r.started, "minor"], ["task", "Task", (r) => r.task, "minor"],
  ["model", "Model", (r) => r.model, "minor"], ["data", "Data", (r) => r.data, "minor"], ["metric", "Metric", valueOf, "number"],
  ["loss", "Loss", (r) => last(r.curves.loss)], ["seconds", "Seconds", (r) => r.seconds, "number minor"],
  ["verdict", "Verdict", (r) => r.verdict],
];

function last(points) {
  return points.length ? points[points.length - 1][1] : null;
}

function line(points, x, y, kind) {
  const places = points.filter((p) => p[1] != null).map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`);
  return `<polyline class="${kind}" points="${places.join(" ")}"/>`;
}

function scales(curves, box) {
  const points = curves.flat().filter((p) => p[1] != null);
  let values = points.map((p) => p[1]);
  const log = Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 20;
  const to = log ? Math.log : (v) => v;
  values = values.map(to);
  const [low, high] = [Math.min(...values), Math.max(...values)], end = Math.max(2, ...points.map((p) => p[0]));
  const x = (epoch) => box.left + (epoch - 1) / (end - 1) * (box.right - box.left);
  const y = (value) => box.bottom - (high > low ? (to(value) - low) / (high - low) : 0.5) * (box.bottom - box.top);
  return { x, y, low: log ? Math.exp(low) : low, high: log ? Math.exp(high) : high, end, log };
}

function spark(run) {
  const { loss, val_loss } = run.curves;
  if (!loss.length) return "";
  const { x, y } = scales([loss, val_loss], { left: 1, right: 83, top: 2, bottom: 18 });
  const said = `loss ${shown(last(loss))}` + (val_loss.length ? `, validation ${shown(last(val_loss))}` : "");
  return `<svg class="spark" viewBox="0 0 84 20" preserveAspectRatio="none" role="img" aria-label="${said}"><title>${said}</title>`
    + line(loss, x, y, "s0") + line(val_loss, x, y, "s1") + "</svg>";
}

function cells(run) {
  const name = run.report ? `<a href="${encodeURI(run.report)}">${escaped(run.run)}</a>` : escaped(run.run);
  const kind = GOOD.has(run.verdict) ? "good" : BAD.has(run.verdict) ? "bad" : "soft";
  const version = run.version ? ` <span class="soft" title="${escaped(run.served)}">v${run.version}</span>` : "";
  const metric = valueOf(run) == null ? "—" : `<span class="soft">${escaped(metricOf(run))}</span> ${shown(valueOf(run))}`;
  return [name, escaped(run.started.slice(0, 16).replace("T", " ")), escaped(run.task), escaped(run.model),
    `<span title="${escaped(run.data)}">${escaped(run.data.split("/").pop())}</span>`, metric, `<span data-run="${run.at}"></span>`, shown(run.seconds),
    `<span class="${kind}" title="${escaped(run.reasons.join("\n"))}">${escaped(run.verdict)}</span>${version}`];
}

function list() {
  const value = COLUMNS.find((c) => c[0] === state.sort)[2], sign = state.down ? -1 : 1;
  const some = runs.filter((r) => !state.task || r.task === state.task).sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x == null || y == null) return (x == null) - (y == null);
    return sign * (typeof x === "number" ? x - y : natural(String(x), String(y)));
  });
  const heads = COLUMNS.map(([key, title, , kind = ""]) => {
    const sorted = key === state.sort ? ` aria-sort="${state.down ? "descending" : "ascending"}"` : "";
    return `<th class="${kind}"${sorted} scope="col"><button data-sort="${key}">${title}</button></th>`;
  });
  const rows = some.map((run) => {
    const ticked = state.ticked.has(run.run);
    const box = `<input type="checkbox" aria-label="compare ${escaped(run.run)}" value="${escaped(run.run)}"${ticked ? " checked" : ""}>`;
    const rest = cells(run).map((cell, i) => `<td class="${COLUMNS[i][3] || ""}${COLUMNS[i][0] === "data" ? " data" : ""}">${cell}</td>`);
    return `<tr${ticked ? ' class="ticked"' : ""}><td>${box}</td>${rest.join("")}</tr>`;
  });
  at("list").innerHTML = `<thead><tr><th></th>${heads.join("")}</tr></thead><tbody>${rows.join("")}</tbody>`;
  near.disconnect();
  for (const place of document.querySelectorAll("[data-run]")) near.observe(place);
  at("said").textContent = some.length ? `${some.length} runs. Click a head to sort; tick two or more to compare them.` : "No runs yet.";
}

function compared() {
  const chosen = runs.filter((r) => state.ticked.has(r.run));
  if (chosen.length < 2) { at("compared").innerHTML = ""; return; }
  const heads = chosen.map((r, i) => `<th class="number"><span class="key s${i % 6}">${escaped(r.run)}</span></th>`).join("");
  const table = (names, cell) => `<div class="wide"><table><thead><tr><th></th>${heads}</tr></thead><tbody>` + names.map((name) =>
    `<tr><th scope="row">${escaped(name)}</th>${chosen.map((r) => `<td class="number">${cell(r, name)}</td>`).join("")}</tr>`).join("")
    + "</tbody></table></div>";
  const all = (part) => [...new Set(chosen.flatMap((r) => Object.keys(r[part])))];
  const text = (r, name) => r.settings[name] === undefined ? "—" : shown(r.settings[name]);
  const facts = ["task", "model", "data", "verdict"].filter((name) => new Set(chosen.map((r) => r[name])).size > 1);
  const differing = all("settings").filter((name) => new Set(chosen.map((r) => text(r, name))).size > 1);
  const settings = [...facts, ...differing];
  const measured = (r, name) => shown(r.metrics[name]) + (r.intervals[name]
    ? ` <span class="interval">${shown(r.intervals[name][0])} to ${shown(r.intervals[name][1])}</span>` : "");
  at("compared").innerHTML = "<h2>Compared</h2><h3>What differs</h3>"
    + (settings.length ? table(settings, (r, name) => facts.includes(name) ? escaped(r[name]) : text(r, name)) : "<p>Nothing that was set.</p>")
    + "<h3>Metrics, with their 95% intervals</h3>" + table(all("metrics"), measured) + "<h3>Loss by epoch</h3>" + plot(chosen);
}

function plot(chosen) {
  const curves = chosen.flatMap((r) => [r.curves.loss, r.curves.val_loss]);
  if (!curves.flat().length) return "<p>None of them has curves.</p>";
  const { x, y, low, high, end, log } = scales(curves, { left: 60, right: 690, top: 12, bottom: 250 });
  const ticks = [low, log ? Math.sqrt(low * high) : (low + high) / 2, high].map((v) =>
    `<line class="grid" x1="60" x2="690" y1="${y(v)}" y2="${y(v)}"/><text x="54" y="${y(v) + 4}" text-anchor="end">${shown(Number(v.toPrecision(3)))}</text>`);
  const lines = chosen.map((r, i) => line(r.curves.loss, x, y, `s${i % 6}`) + line(r.curves.val_loss, x, y, `s${i % 6} dashed`));
  return `<svg class="plot" viewBox="0 0 700 290" role="img" aria-label="loss by epoch of the runs compared">${ticks.join("")}${lines.join("")}`
    + `<text x="60" y="270">1</text><text x="690" y="270" text-anchor="end">epoch ${end}</text></svg>`
    + `<p class="soft">Solid: train. Dashed: validation.${log ? " The scale is logarithmic." : ""}</p>`;
}

function tools() {
  const names = (found) => [...new Set(found)].sort().map((n) => `<option>${escaped(n)}</option>`).join("");
  at("tools").innerHTML = `<label>Task <select id="task"><option value="">all</option>${names(runs.map((r) => r.task))}</select></label>`
    + `<label>Metric <select id="metric"><option value="">the gate's first</option>${names(runs.flatMap((r) => Object.keys(r.metrics)))}</select></label>`;
  for (const name of ["task", "metric"]) at(name).addEventListener("change", (e) => { state[name] = e.target.value; list(); });
}

// A curve is drawn when its row comes near: 500 of them at once would take longer than all the rest.
const near = new IntersectionObserver((found) => {
  for (const { target } of found.filter((f) => f.isIntersecting)) {
    target.innerHTML = spark(runs[target.dataset.run]);
    near.unobserve(target);
  }
}, { rootMargin: "400px" });

at("list").addEventListener("click", (event) => {
  const key = event.target.dataset.sort;
  if (!key) return;
  state.down = key === state.sort ? !state.down : key === "started";
  state.sort = key;
  list();
});
at("list").addEventListener("change", (event) => {
  state.ticked[event.target.checked ? "add" : "delete"](event.target.value);
  event.target.closest("tr").classList.toggle("ticked", event.target.checked);
  compared();
});
tools();
list();
