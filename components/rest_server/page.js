"use strict";
// Asks TF Serving's REST API and shows the answer. All text goes in as text, never as markup.

// The weights of red, green and blue in a grey pixel, of 32768: those by which a picture was read for training.
const LUMA = [9797, 19234, 3737];

// What a field holds, as JSON; undefined when it holds nothing.
const READ = {
  number: (input) => (input.value.trim() === "" ? undefined : input.value.trim()),
  choice: (select) => select.value,
  date: (input) => (input.value === "" ? undefined : JSON.stringify(input.value)),
  text: (area) => (area.value === "" ? undefined : JSON.stringify(area.value)),
  picture: (canvas) => (canvas.filled ? JSON.stringify({ b64: canvas.file ?? pixels(canvas) }) : undefined),
};
// What a signature takes for a value that is missing.
const MISSING = { number: "NaN", date: '""', text: '""', picture: '""' };

function pixels(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colour = canvas.dataset.channels === "3";
  let bytes = "";
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = data.slice(at, at + 3);
    const grey = (red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]) >> 15;
    bytes += colour ? String.fromCharCode(red, green, blue) : String.fromCharCode(grey);
  }
  return btoa(bytes);
}

function drawPixels(canvas, base64) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const bytes = Uint8Array.from(atob(base64), (value) => value.charCodeAt(0));
  const channels = Number(canvas.dataset.channels);
  for (let at = 0; at < bytes.length; at += channels) {
    const colour = channels === 3 ? bytes.slice(at, at + 3) : Array(3).fill(bytes[at]);
    image.data.set([...colour, 255], (at / channels) * 4);
  }
  context.putImageData(image, 0, 0);
  canvas.filled = true;
}

// A picture of one size is drawn in it and sent as pixels; a file of any size is shown whole and sent as it is.
async function drawFile(canvas, file) {
  const bitmap = await createImageBitmap(file);
  const whole = canvas.dataset.sends === "file";
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = whole ? [bitmap.width * scale, bitmap.height * scale] : [canvas.width, canvas.height];
  const context = canvas.getContext("2d");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  canvas.file = whole ? await base64(file) : undefined;
  canvas.filled = true;
}

function base64(file) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.split(",")[1]));
    reader.readAsDataURL(file);
  });
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function preparePicture(canvas) {
  const field = canvas.closest(".field");
  const answer = field.closest("section").querySelector(".answer");
  const take = (file) =>
    drawFile(canvas, file).catch(() =>
      answer.replaceChildren(element("p", "error", `${file.name} is no picture that this browser can read.`)));
  if (canvas.dataset.pixels) drawPixels(canvas, canvas.dataset.pixels);
  if (canvas.dataset.file) {
    drawFile(canvas, new Blob([Uint8Array.from(atob(canvas.dataset.file), (c) => c.charCodeAt(0))]));
  }
  field.querySelector("input").addEventListener("change", (event) => take(event.target.files[0]));
  for (const [type, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    field.addEventListener(type, (event) => {
      event.preventDefault();
      field.classList.toggle("over", over);
      if (type === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    });
  }
}

function instance(form) {
  const values = [];
  const missing = [];
  for (const field of form.querySelectorAll(".field")) {
    const input = field.querySelector("[data-kind]");
    const kind = input.dataset.kind;
    const value = READ[kind](input) ?? (field.dataset.optional ? MISSING[kind] : undefined);
    field.classList.toggle("missing", value === undefined);
    if (value === undefined) missing.push(field.dataset.name);
    values.push(`${JSON.stringify(field.dataset.name)}: ${value}`);
  }
  if (missing.length) throw new Error(`Missing: ${missing.join(", ")}.`);
  return `{${values.join(", ")}}`;
}

function bars(labels, shares) {
  const best = Math.max(...shares);
  const order = shares.map((_, at) => at).sort((a, b) => shares[b] - shares[a]);
  return order.map((at) => {
    const bar = element("div", shares[at] === best ? "bar best" : "bar", "");
    const meter = element("meter", "", "");
    meter.value = shares[at];
    const share = element("span", "share", `${(100 * shares[at]).toFixed(1)} %`);
    bar.append(element("span", "", labels[at] ?? String(at)), meter, share);
    return bar;
  });
}

function shown(task, prediction) {
  const outputs = prediction !== null && typeof prediction === "object" && !Array.isArray(prediction)
    ? prediction : { [task.output]: prediction };
  const main = outputs[task.output];
  const further = Object.entries(outputs)
    .filter(([name]) => name !== task.output && name !== "class")
    .map(([name, value]) => element("p", "about", `${name}: ${JSON.stringify(value)}`));
  if (task.output === "prediction") {
    const line = element("p", "", "");
    line.append(element("span", "number", String(main)), ` ${task.label}`);
    return [line, ...further];
  }
  return [...bars(task.labels, Array.isArray(main) ? main : [1 - main, main]), ...further];
}

async function ask(form, task) {
  const section = form.closest("section");
  const body = `{"signature_name": "features", "instances": [${instance(form)}]}`;
  const path = `/v1/models/${encodeURIComponent(task.name)}`;
  section.querySelector(".request").textContent = `POST ${location.origin}${path}:predict\n\n${body}`;
  const response = await fetch(`${path}:predict`, { method: "POST", body });
  const text = await response.text();
  if (/[[\s:](NaN|-?Infinity)/.test(text)) throw new Error(`The answer is no finite number: ${text}`);
  const answer = JSON.parse(text);
  if (!response.ok) throw new Error(answer.error);
  section.querySelector(".answer").replaceChildren(...shown(task, answer.predictions[0]));
  const [newest] = (await (await fetch(path)).json()).model_version_status.filter((one) => one.state === "AVAILABLE");
  section.querySelector(".version").textContent = `version ${newest.version}`;
}

for (const form of document.forms) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await ask(form, JSON.parse(form.dataset.task));
    } catch (error) {
      const told = error instanceof TypeError ? "The server does not answer." : error.message;
      form.closest("section").querySelector(".answer").replaceChildren(element("p", "error", told));
    }
    button.disabled = false;
  });
}
document.querySelectorAll("canvas").forEach(preparePicture);
