"use strict";

/* Tables: a click on a column's title sorts by it, a second one the other way round. */
for (const table of document.querySelectorAll("table.sortable")) {
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, column) => {
    title.querySelector("button").addEventListener("click", () => {
      const descending = title.getAttribute("aria-sort") === "ascending";
      titles.forEach((other) => other.removeAttribute("aria-sort"));
      title.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table.tBodies[0], column, descending ? -1 : 1);
    });
  });
}

function sortRows(body, column, direction) {
  const keyed = [...body.rows].map((row) => [sortKey(row.cells[column]), row]);
  keyed.sort(([a], [b]) => compareKeys(a, b, direction));
  body.append(...keyed.map(([, row]) => row));
}

/* A number, a text, or null for what is missing. */
function sortKey(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  return cell.textContent === "\u2013" || cell.textContent === "" ? null : cell.textContent;
}

function compareKeys(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null); // last, either way
  if (typeof a === "number" && typeof b === "number") return direction * (a - b);
  return direction * String(a).localeCompare(String(b), "en", { numeric: true });
}

/* Pictures: original, codec A and codec B lie above each other, cut at two dividers. */
const stored = document.getElementById("viewer-data");
if (stored) startViewer(JSON.parse(stored.textContent));

function startViewer(data) {
  const get = (id) => document.getElementById(id);
  const stage = get("stage");
  const sliders = [get("slider-a"), get("slider-b")];
  const colours = ["#ffd166", "#06d6a0", "#7cc6fe", "#ff9f9f", "#e0b1ff", "#f4a261", "#c5e063", "#9be7e0"];
  let picture;

  function fill(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    if (entries.some(([value]) => String(value) === String(chosen))) select.value = chosen;
  }

  function choosePicture() {
    picture = data.pictures[Number(get("picture").value)];
    const rate = get("rate");
    fill(rate, picture.targets.map((bpp, place) => [place, `about ${bpp.toFixed(2)} bpp`]), rate.value);
    const present = new Set(picture.versions.map((version) => version.codec));
    const entries = Object.entries(data.titles).filter(([codec]) => present.has(codec));
    for (const [id, preferred] of [["codec-a", data.first], ["codec-b", data.second]]) {
      fill(get(id), entries, get(id).value || preferred);
    }
    show();
  }

  /* The codec's version whose rate is nearest to the chosen one. */
  function versionOf(codec) {
    const target = picture.targets[Number(get("rate").value)];
    const distance = (version) => Math.abs(Math.log(version.bpp / target));
    return picture.versions
      .filter((version) => version.codec === codec)
      .reduce((best, version) => (distance(version) < distance(best) ? version : best));
  }

  /* Codecs have few settings: one that is far from the chosen rate says so. */
  function mismatch(version) {
    const percent = 100 * (version.bpp / picture.targets[Number(get("rate").value)] - 1);
    if (Math.abs(percent) < 10) return "";
    return ` (${Math.abs(percent).toFixed(0)}% ${percent > 0 ? "above" : "below"} the chosen rate)`;
  }

  function show() {
    showLayer("original", picture, "original");
    for (const side of ["a", "b"]) {
      const version = versionOf(get(`codec-${side}`).value);
      const title = data.titles[version.codec];
      showLayer(side, version, `${title}, ${version.bpp.toFixed(3)} bpp`);
      const psnr = version.psnr === null ? "" : `, ${version.psnr.toFixed(2)} dB PSNR`;
      get(`caption-${side}`).textContent =
        `${side.toUpperCase()}: ${title}, ${version.setting}\n` +
        `${version.bpp.toFixed(3)} bpp${mismatch(version)}${psnr}${objectsText(version)}`;
    }
    get("caption-original").textContent =
      `${picture.name}\n${picture.width}\u00d7${picture.height} pixels${objectsText(picture)}`;
    resize();
  }

  function chosenBoxes(item) {
    const kind = get("boxes").value;
    const found = kind === "latents" ? (item.latents ?? item.boxes) : kind ? item.boxes : null;
    return found && found.filter((entry) => entry.score >= Number(get("score").value));
  }

  function objectsText(item) {
    const found = chosenBoxes(item);
    if (!found) return "";
    const source = get("boxes").value === "latents" && item.latents ? "in the latents" : "in the pixels";
    return `\n${found.length} object${found.length === 1 ? "" : "s"} found ${source}`;
  }

  function showLayer(side, item, text) {
    const layer = get(`layer-${side}`);
    const image = layer.querySelector("img");
    image.src = item.source;
    image.alt = text;
    get(`tag-${side}`).textContent = text;
    layer.querySelector(".boxes").replaceChildren(...(chosenBoxes(item) ?? []).map(boxElement));
  }

  function boxElement(entry) {
    const box = document.createElement("div");
    const label = document.createElement("span");
    const sum = [...entry.label].reduce((total, letter) => total + letter.charCodeAt(0), 0);
    box.className = "box";
    box.style.setProperty("--box", colours[sum % colours.length]);
    ["left", "top", "width", "height"].forEach((side, place) => {
      box.style[side] = `${entry.box[place]}%`;
    });
    label.textContent = `${entry.label} ${entry.score.toFixed(2)}`;
    box.append(label);
    return box;
  }

  function resize() {
    const zoom = Number(get("zoom").value);
    const shape = picture.width / picture.height;
    stage.style.aspectRatio = String(shape);
    stage.style.width = zoom ? `${zoom * picture.width}px` : `min(100%, ${(80 * shape).toFixed(2)}vh)`;
    stage.classList.toggle("enlarged", zoom > 1);
  }

  /* Divider `place` goes to `percent`; the other one is pushed along rather than passed. */
  function moveDivider(place, percent) {
    const value = Math.min(100, Math.max(0, percent));
    sliders[place].value = value;
    if (place === 0 && Number(sliders[1].value) < value) sliders[1].value = value;
    if (place === 1 && Number(sliders[0].value) > value) sliders[0].value = value;
    cut();
  }

  function cut() {
    const [a, b] = sliders.map((slider) => Number(slider.value));
    get("layer-a").style.clipPath = `inset(0 0 0 ${a}%)`;
    get("layer-b").style.clipPath = `inset(0 0 0 ${b}%)`;
    get("divider-a").style.left = `${a}%`;
    get("divider-b").style.left = `${b}%`;
    for (const [side, from, to] of [["original", 0, a], ["a", a, b], ["b", b, 100]]) {
      const tag = get(`tag-${side}`);
      tag.style.left = `calc(${from}% + .5rem)`;
      tag.style.maxWidth = `calc(${to - from}% - 1rem)`;
      tag.hidden = to - from < 8;
    }
  }

  let dragged = null;
  const percentAt = (event) => {
    const bounds = stage.getBoundingClientRect();
    return (100 * (event.clientX - bounds.left)) / bounds.width;
  };
  stage.addEventListener("pointerdown", (event) => {
    const at = percentAt(event);
    const [a, b] = sliders.map((slider) => Math.abs(Number(slider.value) - at));
    const right = at > Number(sliders[1].value); // both at one place: outwards
    dragged = a < b || (a === b && !right) ? 0 : 1;
    stage.setPointerCapture(event.pointerId);
    moveDivider(dragged, at);
  });
  stage.addEventListener("pointermove", (event) => {
    if (dragged !== null) moveDivider(dragged, percentAt(event));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => { dragged = null; });
  }
  sliders.forEach((slider, place) => {
    slider.addEventListener("input", () => moveDivider(place, Number(slider.value)));
  });

  const anyBoxes = data.pictures.some((each) => each.boxes || each.versions.some((version) => version.boxes || version.latents));
  document.querySelectorAll(".detections").forEach((control) => { control.hidden = !anyBoxes; });
  if (!data.pictures.some((each) => each.versions.some((version) => version.latents))) {
    get("boxes").querySelector("[value=latents]").remove();
  }
  fill(get("picture"), data.pictures.map((each, place) => [place, each.name]), 0);
  get("picture").addEventListener("change", choosePicture);
  for (const id of ["rate", "codec-a", "codec-b", "boxes", "score"]) get(id).addEventListener("change", show);
  get("zoom").addEventListener("change", resize);
  choosePicture();
  cut();
}
