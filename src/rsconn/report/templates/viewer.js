"use strict";
(async () => {
  const find = (name) => document.getElementById("viewer-" + name);
  const study = JSON.parse(find("data").textContent);
  if (typeof DecompressionStream === "undefined") {
    find("note").append(" This browser is too old for the viewer; the figures below show the same maps.");
    return;
  }
  const decode = async (text) => {
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  // little-endian whole numbers, whatever this machine's order is
  const readNumbers = (bytes) => {
    const view = new DataView(bytes.buffer);
    const numbers = new Int16Array(view.byteLength / 2);
    for (let i = 0; i < numbers.length; i++) numbers[i] = view.getInt16(2 * i, true);
    return numbers;
  };
  const AXES = ["x", "y", "z"];
  const DIRECTIONS = [[1, 2], [0, 2], [0, 1]]; // what a slice shows to the right and upwards
  const colours = await decode(study.colours);
  const brain = { ...study.background, values: await decode(study.background.data) };
  const minus = (text) => text.replace("-", "\u2212");

  // place of every voxel of the grid among the voxels that are stored; -1 outside
  const masks = await Promise.all(study.seeds.map((seed) => decode(seed.mask)));
  const seeds = study.seeds.map((seed, number) => {
    const bits = masks[number];
    const places = new Int32Array(seed.shape[0] * seed.shape[1] * seed.shape[2]).fill(-1);
    let count = 0;
    for (let i = 0; i < places.length; i++) if ((bits[i >> 3] >> (i & 7)) & 1) places[i] = count++;
    return { ...seed, places };
  });
  for (const each of study.models.flatMap((one) => one.maps)) each.values = readNumbers(await decode(each.data));
  const load = (map) => map.values;

  let model = study.models[0];
  let map = model.maps[0];
  let threshold = map.start;
  let queued = false;
  const mm = [0, 0, 0];

  const findVoxel = (seed, x, y, z) => {
    let flat = 0, stride = 1;
    for (let axis = 0; axis < 3; axis++) {
      const row = seed.inverse[axis];
      const index = Math.round(row[0] * x + row[1] * y + row[2] * z + row[3]);
      if (index < 0 || index >= seed.shape[axis]) return -1;
      flat += index * stride;
      stride *= seed.shape[axis];
    }
    return seed.places[flat];
  };

  const readBrain = (x, y, z) => {
    const { shape, origin, step, values } = brain;
    const fx = (x - origin[0]) / step, fy = (y - origin[1]) / step, fz = (z - origin[2]) / step;
    const ix = Math.floor(fx), iy = Math.floor(fy), iz = Math.floor(fz);
    if (ix < 0 || iy < 0 || iz < 0 || ix >= shape[0] - 1 || iy >= shape[1] - 1 || iz >= shape[2] - 1) return 0;
    const wx = fx - ix, wy = fy - iy, wz = fz - iz, row = shape[0], sheet = shape[0] * shape[1];
    const at = ix + iy * row + iz * sheet;
    const line = (start) => values[start] * (1 - wx) + values[start + 1] * wx;
    const plane = (start) => line(start) * (1 - wy) + line(start + row) * wy;
    return plane(at) * (1 - wz) + plane(at + sheet) * wz;
  };

  const paint = (image, axis) => {
    const [right, up] = DIRECTIONS[axis];
    const { width, height, data } = image;
    const seed = seeds[model.seed], values = load(map);
    const point = [...mm];
    let at = 0;
    for (let row = 0; row < height; row++) {
      point[up] = study.box[up][1] - (row + 0.5) / 2;
      for (let column = 0; column < width; column++, at += 4) {
        point[right] = study.box[right][0] + (column + 0.5) / 2;
        const light = readBrain(point[0], point[1], point[2]) / 255;
        const edge = Math.min(1, light / 0.2);
        const grey = 1 - edge + edge * (0.42 + 0.55 * Math.min(1, Math.max(0, (light - 0.2) / 0.7)));
        const voxel = findVoxel(seed, point[0], point[1], point[2]);
        const value = voxel < 0 ? 0 : values[voxel] * map.scale;
        const opacity = cover(Math.abs(value)), colour = pick(value);
        for (let part = 0; part < 3; part++)
          data[at + part] = 255 * grey * (1 - opacity) + colours[colour + part] * opacity;
        data[at + 3] = 255;
      }
    }
  };

  // how much of the brain a value covers
  const cover = (size) => {
    const least = Math.max(threshold, 1e-9);
    if (size === 0) return 0;
    if (size >= least) return 1;
    return find("faint").checked ? 0.55 * (size / least) ** 2 : 0;
  };
  const pick = (value) => 3 * Math.round(64 * (1 + Math.max(-1, Math.min(1, value / map.limit))));

  const views = AXES.map((name, axis) => {
    const [right, up] = DIRECTIONS[axis];
    const span = [study.box[right][1] - study.box[right][0], study.box[up][1] - study.box[up][0]];
    const canvas = find(name), sheet = document.createElement("canvas");
    [sheet.width, sheet.height] = [2 * span[0], 2 * span[1]];
    canvas.style.aspectRatio = span[0] + " / " + span[1];
    canvas.parentElement.style.setProperty("--share", span[0]);
    return { axis, right, up, span, canvas, sheet, image: new ImageData(sheet.width, sheet.height) };
  });

  const ring = (pen, x, y, radius, colour, width) => {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke();
  };

  const drawView = ({ axis, right, up, span, canvas, sheet, image }) => {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round((width * span[1]) / span[0]));
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    paint(image, axis);
    sheet.getContext("2d").putImageData(image, 0, 0);
    const pen = canvas.getContext("2d"), zoom = width / span[0];
    const place = (point) => [(point[right] - study.box[right][0]) * zoom, (study.box[up][1] - point[up]) * zoom];
    pen.drawImage(sheet, 0, 0, width, height);
    for (const roi of study.rois) {
      const inside = (roi.radius || 3) ** 2 - (roi.mm[axis] - mm[axis]) ** 2;
      if (inside <= 0) continue;
      const [x, y] = place(roi.mm);
      ring(pen, x, y, Math.sqrt(inside) * zoom, "#ffffff", 3.5 * ratio);
      ring(pen, x, y, Math.sqrt(inside) * zoom, "#0b5d1e", 1.75 * ratio);
    }
    const [x, y] = place(mm).map((value) => Math.round(value) + 0.5), gap = 5 * ratio;
    pen.beginPath();
    for (const [from, to] of [[0, x - gap], [x + gap, width]]) { pen.moveTo(from, y); pen.lineTo(to, y); }
    for (const [from, to] of [[0, y - gap], [y + gap, height]]) { pen.moveTo(x, from); pen.lineTo(x, to); }
    pen.strokeStyle = "rgba(27, 31, 36, 0.55)";
    pen.lineWidth = ratio;
    pen.stroke();
    if (right !== 0) return;
    pen.fillStyle = "#545c68";
    pen.font = 12 * ratio + "px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    pen.textAlign = "left";
    pen.fillText("L", 4 * ratio, height - 3 * ratio);
    pen.textAlign = "right";
    pen.fillText("R", width - 4 * ratio, height - 3 * ratio);
  };

  const describe = () => {
    const voxel = findVoxel(seeds[model.seed], ...mm);
    const place = "x " + mm[0] + ", y " + mm[1] + ", z " + mm[2] + " mm";
    if (voxel < 0) return place + ": not tested";
    const t = load(model.maps[0])[voxel] * model.maps[0].scale;
    const words = model.maps.map((each) => {
      const value = load(each)[voxel] * each.scale;
      if (each.kind === "t") return "t = " + value.toFixed(2);
      const p = 10 ** -Math.abs(value);
      return "p (" + each.label.split("by ")[1].replace("the ", "") + ") = " + (p < 0.001 ? "< 0.001" : p.toFixed(3));
    });
    return place + ": " + words.join(", ") + " (" + (t < 0 ? model.negative : model.positive) + "); " + nameMark();
  };
  const nameMark = () => {
    const far = ([, ...at]) => Math.hypot(...at.map((value, axis) => value - mm[axis]));
    const mark = study.landmarks.reduce((best, each) => (far(each) < far(best) ? each : best));
    return "nearest landmark " + mark[0] + ", " + far(mark).toFixed(0) + " mm away";
  };

  const drawBar = () => {
    const pen = find("bar").getContext("2d");
    for (let i = 0; i < 256; i++) {
      const value = (i / 127.5 - 1) * map.limit, opacity = cover(Math.abs(value)), colour = pick(value);
      const parts = [0, 1, 2].map((part) => Math.round(225 * (1 - opacity) + colours[colour + part] * opacity));
      pen.fillStyle = "rgb(" + parts.join(",") + ")";
      pen.fillRect(i, 0, 1, 14);
    }
  };

  const draw = () => {
    queued = false;
    views.forEach(drawView);
    drawBar();
    AXES.forEach((name, axis) => {
      find("at-" + name).value = mm[axis];
      find("mm-" + name).textContent = minus(mm[axis] + " mm");
    });
    const sign = map.kind === "t" ? "|t| \u2265 " : "p \u2264 ";
    const shown = map.kind === "t" ? threshold.toFixed(2) : (10 ** -threshold).toPrecision(2);
    find("threshold-value").textContent = sign + shown;
    find("readout").textContent = describe().replaceAll(" -", " \u2212");
  };
  const plan = () => {
    if (queued) return;
    queued = true;
    setTimeout(draw, 8);
  };

  const move = (axis, value) => {
    mm[axis] = Math.max(study.box[axis][0], Math.min(study.box[axis][1], Math.round(value)));
    plan();
  };
  const fill = (select, words) => select.replaceChildren(...words.map((word, index) => new Option(word, index)));

  const places = () => [...model.peaks, ...study.rois];
  const chooseMap = () => {
    map = model.maps[find("map").value];
    threshold = map.start;
    const slider = find("threshold");
    slider.max = map.limit;
    slider.value = threshold;
    find("low").textContent = model.negative;
    find("middle").textContent = (map.kind === "t" ? "t" : "\u2212log10 p") + ", \u00b1 " + map.limit.toFixed(2);
    find("high").textContent = model.positive;
    plan();
  };
  const chooseModel = () => {
    model = study.models[find("model").value];
    const kept = find("map").value || model.lead;
    fill(find("map"), model.maps.map((each) => each.label));
    fill(find("jump"), ["choose a place", "largest value", ...places().map((place) => place.name)]);
    find("map").value = kept < model.maps.length ? kept : 0;
    chooseMap();
  };
  // the voxel of the largest |value| of the map that is shown
  const findPeak = () => {
    const seed = seeds[model.seed], values = load(map);
    let best = -1, top = -1;
    for (let i = 0; i < seed.places.length; i++)
      if (seed.places[i] >= 0 && Math.abs(values[seed.places[i]]) > top) {
        top = Math.abs(values[seed.places[i]]);
        best = i;
      }
    const [nx, ny] = seed.shape;
    const index = [best % nx, Math.floor(best / nx) % ny, Math.floor(best / (nx * ny))];
    return solve(seed.inverse, index);
  };
  const solve = (rows, index) => {
    const det = (a, b, c) =>
      a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
    const right = index.map((value, axis) => value - rows[axis][3]);
    const whole = det(...rows);
    return [0, 1, 2].map((axis) =>
      det(...rows.map((row, line) => [0, 1, 2].map((column) => (column === axis ? right[line] : row[column])))) / whole);
  };
  const jump = () => {
    const chosen = Number(find("jump").value);
    find("jump").value = 0;
    const target = chosen > 1 ? places()[chosen - 2].mm : findPeak();
    target.forEach((value, axis) => move(axis, value));
  };

  for (const { axis, right, up, span, canvas } of views) {
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      move(right, study.box[right][0] + ((event.clientX - box.left) / box.width) * span[0]);
      move(up, study.box[up][1] - ((event.clientY - box.top) / box.height) * span[1]);
    };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); point(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
    canvas.addEventListener("keydown", (event) => {
      const steps = {
        ArrowLeft: [right, -1], ArrowRight: [right, 1], ArrowDown: [up, -1], ArrowUp: [up, 1],
        PageDown: [axis, -1], PageUp: [axis, 1],
      };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      move(step[0], mm[step[0]] + step[1] * (event.shiftKey ? 10 : 1));
    });
    const slider = find("at-" + AXES[axis]);
    [slider.min, slider.max] = study.box[axis];
    slider.addEventListener("input", () => move(axis, Number(slider.value)));
  }
  find("threshold").addEventListener("input", (event) => { threshold = Number(event.target.value); plan(); });
  find("faint").addEventListener("change", plan);
  find("map").addEventListener("change", chooseMap);
  find("model").addEventListener("change", chooseModel);
  find("jump").addEventListener("change", jump);
  window.addEventListener("resize", plan);

  if (study.left_out) find("note").append(" Not all models fit into this page; the others are in group/maps.");
  fill(find("model"), study.models.map((each) => "Seed " + seeds[each.seed].name + ", " + each.name + ": " + each.positive));
  for (const part of document.querySelectorAll("#viewer > [hidden]")) part.hidden = false;
  chooseModel();
  jump();
  draw();
})();
