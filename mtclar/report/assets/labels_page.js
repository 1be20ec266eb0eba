// The page: which face, which span of time and which row are shown, and everything that changes them.
(function () {
  const ROWS_A_PAGE = 50;
  const STRIP = 16;
  const SOURCES = {
    anchor: "anchor, labelled by hand", model: "model and anchors", "zero-shot": "model alone",
    interpolated: "interpolated over frames without a face", none: "no label",
  };
  const STATUSES = { ok: "face seen", low_quality: "face hardly seen", no_face: "no face", out_of_shot: "out of the shot" };
  const $ = (id) => document.getElementById(id);
  const made = (kind, words = "", more = {}) => Object.assign(document.createElement(kind), { textContent: words }, more);

  document.documentElement.classList.add("js");
  const data = Labels.read();
  const choices = Labels.choices(data);
  const covered = data.coverage === null ? "prediction interval" : `${Math.round(100 * data.coverage)} % prediction interval`;
  const said = { valence: (k) => valued("valence", k), arousal: (k) => valued("arousal", k) };
  let course = null;
  let view = [0, 1];
  let chosen = null;
  let page = 0;

  const charts = new Labels.Charts($("charts"), {
    hover: (row, chart, left, top) => { tip(row, chart, left, top); plane(row); },
    leave: () => { $("tip").hidden = true; plane(chosen); },
    click: (row) => choose(row),
    zoom: (from, to) => show(from, to),
    whole: () => whole(),
    wheel: (turn, at) => zoom(turn < 0 ? 0.8 : 1.25, at),
  });

  function valued(name, k) {
    const words = Labels.number(course[name][k]);
    return course[`${name}_lo`][k] === null ? words : `${words} (${Labels.interval(course[`${name}_lo`][k], course[`${name}_hi`][k])})`;
  }

  // The face that is shown.
  function take(choice) {
    course = Labels.course(data, choice);
    chosen = null;
    const [first, last] = [course.time_s[0], course.time_s[course.n - 1]];
    const rest = first === last ? 0.5 : (last - first) * 0.01;
    course.limits = [first - rest, last + rest];
    view = course.limits;
    $("seek").max = course.n - 1;
    charts.show(course, view);
    for (const id of ["before-anchor", "after-anchor", "straight"]) $(id).disabled = !course.anchors.length;
    suspects();
    show(...view);
    choose(course.anchors.length ? course.anchors[0] : 0);
  }

  // The span of time that is shown.
  function show(from, to) {
    const [low, high] = course.limits;
    const width = Math.min(Math.max(to - from, 6 * course.step), high - low);
    const start = Math.min(Math.max(from, low), high - width);
    view = [start, start + width];
    charts.view(...view);
    described();
    strip();
    plane(chosen);
  }
  const whole = () => show(...course.limits);
  function zoom(factor, at = course.time_s[chosen] >= view[0] && course.time_s[chosen] <= view[1] ? course.time_s[chosen] : (view[0] + view[1]) / 2) {
    const before = view[1] - view[0];
    show(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
    return view[1] - view[0] !== before;
  }
  const move = (share) => show(view[0] + share * (view[1] - view[0]), view[1] + share * (view[1] - view[0]));
  const ends = () => [Labels.nearest(course.time_s, view[0]), Labels.nearest(course.time_s, view[1])];

  function described() {
    const [first, last] = ends();
    const count = last - first + 1;
    const pixels = Math.max(1, $("charts").clientWidth - 60) * devicePixelRatio;
    const digits = view[1] - view[0] < 10 ? 2 : 0;
    const shown = view[0] <= course.limits[0] && view[1] >= course.limits[1] ? "All of it: " : "";
    const thin = count >= 4 * pixels
      ? ` Each column of pixels spans the smallest and the largest of about ${Math.round(count / pixels)} rows; zoom in to see every row.` : "";
    $("shown").textContent = `${shown}${Labels.clock(course.time_s[first], digits)} to ${Labels.clock(course.time_s[last], digits)}, ${count} rows.${thin}`;
  }

  // The row that is chosen.
  function choose(row, quiet = false) {
    chosen = Math.max(0, Math.min(course.n - 1, row));
    const time = course.time_s[chosen];
    if (time < view[0] || time > view[1]) show(time - (view[1] - view[0]) / 2, time + (view[1] - view[0]) / 2);
    charts.choose(chosen);
    const words = `${Labels.clock(time)}, valence ${said.valence(chosen)}, arousal ${said.arousal(chosen)}`;
    $("seek").value = chosen;
    $("seek").setAttribute("aria-valuetext", words);
    $("detail").setAttribute("aria-live", quiet ? "off" : "polite");
    detail();
    plane(chosen);
    for (const button of $("strip").querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.row) === pictureRow()));
    if ($("table").open) rows(Math.floor(chosen / ROWS_A_PAGE));
  }

  // The picture nearest to the chosen row: of the same track where there is one.
  function nearestPicture(row) {
    let best = null;
    for (const picture of course.pictures) {
      const far = Math.abs(course.time_s[picture.row] - course.time_s[row]) + (picture.track === course.track[row] ? 0 : 1e6);
      if (best === null || far < best.far) best = { ...picture, far };
    }
    return best;
  }
  const pictureRow = () => nearestPicture(chosen)?.row;

  function facts(k) {
    return [
      ["Time", `${Labels.clock(course.time_s[k], 3)} (frame ${course.frame[k]})`],
      ["Valence", Labels.number(course.valence[k])],
      [covered, Labels.interval(course.valence_lo[k], course.valence_hi[k])],
      ["Arousal", Labels.number(course.arousal[k])],
      [covered, Labels.interval(course.arousal_lo[k], course.arousal_hi[k])],
      ["Confidence", course.confidence[k] === null ? "–" : course.confidence[k].toFixed(2)],
      ["Label from", SOURCES[course.source[k]] || course.source[k]],
      ["Picture", STATUSES[course.status[k]] || course.status[k]],
      ["Track, shot", `${course.track[k] < 0 ? "–" : course.track[k]}, ${course.shot[k]}`],
    ];
  }

  function detail() {
    const list = made("dl", "", { className: "facts" });
    for (const [name, value] of facts(chosen)) list.append(made("dt", name), made("dd", value));
    const suspect = course.suspects.find((one) => one.row === chosen);
    if (suspect) list.append(made("dt", "Suspect anchor"), made("dd", suspect.reason));
    const picture = nearestPicture(chosen);
    const parts = [list];
    if (picture) {
      const when = Labels.clock(course.time_s[picture.row]);
      const figure = made("figure");
      figure.append(made("img", "", { src: picture.url, alt: `Face at ${when}` }));
      const words = picture.row === chosen ? `Face at ${when}` : `Nearest face picture kept: ${when}`;
      figure.append(made("figcaption", words));
      parts.unshift(figure);
    }
    $("detail").replaceChildren(...parts);
  }

  function tip(row, chart, left, top) {
    const box = $("tip");
    const place = charts.place.children[chart];
    if (box.parentNode !== place) place.append(box);
    const lines = [`${Labels.clock(course.time_s[row])} · frame ${course.frame[row]}`, `valence ${said.valence(row)}`, `arousal ${said.arousal(row)}`];
    if (course.status[row] !== "ok") lines.push(STATUSES[course.status[row]]);
    if (course.source[row] === "anchor") lines.push("anchor");
    box.replaceChildren(...lines.map((words) => made("div", words)));
    box.hidden = false;
    const most = place.clientWidth - box.offsetWidth;
    const wanted = left + 14 + box.offsetWidth > place.clientWidth ? left - 14 - box.offsetWidth : left + 14;
    box.style.left = `${Math.max(0, Math.min(most, wanted))}px`;
    box.style.top = `${Math.max(0, Math.min(top - 10, place.clientHeight - box.offsetHeight))}px`;
  }

  function plane(row) {
    const [first, last] = ends();
    const every = Labels.plane($("plane"), course, [first, last], row);
    const thin = every > 1 ? ` One row of ${every} is drawn; zoom in to see every row.` : "";
    const here = row === null ? "" : ` At ${Labels.clock(course.time_s[row])}: valence ${said.valence(row)}, arousal ${said.arousal(row)}.`;
    $("plane").setAttribute("aria-label", `Valence and arousal of ${last - first + 1} rows in the circumplex.${here}`);
    $("plane-words").textContent = `The rows shown above, later ones darker; rings: anchors; large dot: the row at hand, its lines the ${covered}.${thin}`;
  }

  // Face pictures of the span that is shown: some spread evenly, and those nearest to anchors.
  function strip() {
    const there = course.pictures.filter(({ row }) => course.time_s[row] >= view[0] && course.time_s[row] <= view[1]);
    const kept = new Set();
    for (let k = 0; k < Math.min(STRIP, there.length); k += 1) kept.add(Math.round((k * (there.length - 1)) / Math.max(1, Math.min(STRIP, there.length) - 1)));
    const times = there.map(({ row }) => course.time_s[row]);
    const near = new Set();
    for (const k of course.anchors) {
      if (!times.length || course.time_s[k] < view[0] || course.time_s[k] > view[1]) continue;
      const place = Labels.nearest(times, course.time_s[k]);
      if (Math.abs(times[place] - course.time_s[k]) <= course.step / 2) near.add(place);
    }
    const now = chosen === null ? undefined : pictureRow();
    const items = [...new Set([...kept, ...near])].sort((a, b) => a - b).map((k) => {
      const { row, url } = there[k];
      const when = Labels.clock(course.time_s[row], 1);
      const button = made("button", "", { type: "button", className: near.has(k) ? "anchor" : "" });
      button.dataset.row = row;
      button.setAttribute("aria-pressed", String(row === now));
      button.setAttribute("aria-label", `Face at ${when}${near.has(k) ? ", anchor" : ""}: valence ${said.valence(row)}, arousal ${said.arousal(row)}`);
      button.append(made("img", "", { src: url, alt: "" }), made("span", near.has(k) ? `${when} ●` : when));
      button.addEventListener("click", () => choose(row));
      const item = made("li");
      item.append(button);
      return item;
    });
    $("strip").replaceChildren(...items);
    const left = data.pictures_left_out ? ` This page carries ${data.pictures.length} face pictures, evenly spread; ${data.pictures_left_out} more are in the features file.` : "";
    $("strip-words").textContent = (there.length > items.length
      ? `${items.length} of ${there.length} face pictures of the span shown; zoom in to see the others.`
      : `${there.length} face picture${there.length === 1 ? "" : "s"} of the span shown.`) + left;
  }

  function suspects() {
    $("suspects").hidden = !course.suspects.length;
    $("suspect-list").replaceChildren(...course.suspects.map((one) => {
      const item = made("li");
      const button = made("button", `Frame ${one.frame}, ${Labels.clock(course.time_s[one.row])}`, { type: "button" });
      button.addEventListener("click", () => choose(one.row));
      item.append(button, ` ${one.reason}`);
      return item;
    }));
  }

  // The same rows as a table, a page at a time.
  function rows(number) {
    page = Math.max(0, Math.min(Math.floor((course.n - 1) / ROWS_A_PAGE), number));
    const first = page * ROWS_A_PAGE;
    const last = Math.min(course.n, first + ROWS_A_PAGE);
    const lines = [];
    for (let k = first; k < last; k += 1) {
      const line = made("tr", "", { className: k === chosen ? "chosen" : "" });
      const button = made("button", String(course.frame[k]), { type: "button" });
      button.setAttribute("aria-label", `Frame ${course.frame[k]}`);
      if (k === chosen) line.setAttribute("aria-current", "true");
      button.addEventListener("click", () => { choose(k); $("rows").querySelectorAll("button")[k - page * ROWS_A_PAGE]?.focus(); });
      const frame = made("td");
      frame.append(button);
      const words = [
        course.time_s[k].toFixed(3), Labels.number(course.valence[k]), Labels.interval(course.valence_lo[k], course.valence_hi[k]),
        Labels.number(course.arousal[k]), Labels.interval(course.arousal_lo[k], course.arousal_hi[k]),
        course.confidence[k] === null ? "–" : course.confidence[k].toFixed(2), course.source[k], course.status[k],
        course.track[k] < 0 ? "–" : course.track[k], course.shot[k],
      ];
      line.append(frame, ...words.map((word) => made("td", String(word))));
      lines.push(line);
    }
    $("rows").replaceChildren(...lines);
    $("rows-shown").textContent = `Rows ${first + 1} to ${last} of ${course.n}`;
    $("rows-before").disabled = first === 0;
    $("rows-after").disabled = last === course.n;
  }

  const anchor = (forward) => {
    const { anchors } = course;
    const next = forward ? anchors.find((k) => k > chosen) : anchors.findLast((k) => k < chosen);
    choose(next ?? (forward ? anchors[0] : anchors[anchors.length - 1]));
  };
  const second = () => Math.max(1, Math.round(1 / course.step));
  const keys = {
    "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => whole(),
    ArrowLeft: () => choose(chosen - 1), ArrowRight: () => choose(chosen + 1),
    PageUp: () => choose(chosen - second()), PageDown: () => choose(chosen + second()),
    Home: () => choose(0), End: () => choose(course.n - 1), n: () => anchor(true), p: () => anchor(false),
  };
  $("view").addEventListener("keydown", (event) => {
    const own = event.target === $("seek") && event.key.length > 1; // a slider knows these keys itself
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT" || own || !keys[event.key]) return;
    if (event.key.length > 1 && event.target !== $("charts")) return;
    if ((event.key === "n" || event.key === "p") && !course.anchors.length) return;
    event.preventDefault();
    keys[event.key]();
  });

  for (const [k, choice] of choices.entries()) $("who").append(made("option", choice.name, { value: k }));
  $("who").parentNode.hidden = choices.length < 2;
  $("who").addEventListener("change", () => take(choices[$("who").value]));
  const buttons = {
    "zoom-in": keys["+"], "zoom-out": keys["-"], earlier: () => move(-0.5), later: () => move(0.5), whole,
    "before-anchor": keys.p, "after-anchor": keys.n, "rows-before": () => rows(page - 1), "rows-after": () => rows(page + 1),
  };
  for (const [id, act] of Object.entries(buttons)) $(id).addEventListener("click", () => act());
  $("straight").addEventListener("change", () => charts.showStraight($("straight").checked));
  $("seek").addEventListener("input", () => choose(Number($("seek").value), true));
  $("table").addEventListener("toggle", () => { if ($("table").open) rows(Math.floor(chosen / ROWS_A_PAGE)); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { charts.show(course, view); plane(chosen); });
  let width = 0;
  new ResizeObserver(() => {
    if ($("charts").clientWidth === width) return;
    width = $("charts").clientWidth;
    charts.resize();
    described();
  }).observe($("charts"));
  take(choices[0]);
})();
