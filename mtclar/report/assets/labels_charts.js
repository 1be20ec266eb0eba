// Drawing: two curves over time by uPlot, and the plane of valence and arousal. Neither keeps any state of the page.
const DIMENSIONS = ["valence", "arousal"];

Labels.colours = function () {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    valence: of("valence"), arousal: of("arousal"), ink: of("ink"), soft: of("soft"), line: of("line"),
    strong: of("strong"), ground: of("ground"), suspect: of("suspect"), accent: of("accent"),
    status: { no_face: of("no-face"), out_of_shot: of("away"), low_quality: of("low") },
  };
};

// Two charts, one above the other, that share the span of time they show.
Labels.Charts = class {
  // `on` has: hover(row, chart, left, top), leave(), click(row), zoom(from, to), whole()
  constructor(place, on) {
    this.place = place;
    this.on = on;
    this.charts = [];
    this.chosen = null;
    this.straight = true;
  }

  show(course, view) {
    for (const chart of this.charts) chart.destroy();
    this.course = course;
    this.colours = Labels.colours();
    this.statusSpans = course.spans((k) => course.status[k]).filter((span) => span[2] !== "ok");
    this.trackSpans = course.spans((k) => course.track[k]).filter((span) => span[2] >= 0);
    this.cuts = Labels.where(course.n - 1, (k) => course.shot[k] !== course.shot[k + 1]);
    this.charts = DIMENSIONS.map((name, k) => this.chart(name, view, this.place.children[k]));
  }

  size() {
    return { width: Math.max(200, this.place.clientWidth), height: this.place.clientWidth < 600 ? 150 : 190 };
  }

  chart(name, view, place) {
    const { course, colours } = this;
    const colour = colours[name];
    const lone = Labels.where(course.n, (k) => course[name][k] !== null
      && (k === 0 || course[name][k - 1] === null) && (k === course.n - 1 || course[name][k + 1] === null));
    const chart = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        scales: { x: { time: false }, y: { range: [-1.08, 1.08] } },
        cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 5 }, bind: { dblclick: () => () => this.on.whole() } },
        series: [
          {},
          { stroke: colour, width: 1.7, points: { show: false } },
          { stroke: null, points: { show: false } },
          { stroke: null, points: { show: false } },
          { stroke: colours.strong, width: 1.3, dash: [2, 4], points: { show: false }, show: this.straight },
        ],
        bands: [{ series: [2, 3], fill: `${colour}38` }],
        axes: [
          {
            stroke: colours.soft, grid: { show: false }, ticks: { stroke: colours.line }, show: true, size: 32,
            values: (_, ticks, __, ___, step) => ticks.map((tick) => Labels.clock(tick, step >= 1 ? 0 : step >= 0.1 ? 1 : 2)),
          },
          {
            stroke: colours.soft, grid: { stroke: colours.line, width: 1 }, ticks: { show: false }, size: 46,
            splits: [-1, -0.5, 0, 0.5, 1],
            values: (_, ticks) => ticks.map((tick) => String(tick).replace("-", "−")),
          },
        ],
        hooks: {
          drawClear: [(u) => this.behind(u)],
          draw: [(u) => this.before(u, name, lone)],
          setSelect: [(u) => this.selected(u)],
          setCursor: [(u) => this.hovered(u)],
        },
      },
      [course.time_s, course[name], course[`${name}_hi`], course[`${name}_lo`], course[`${name}_straight`]],
      place,
    );
    chart.ctx.canvas.setAttribute("role", "img");
    chart.ctx.canvas.setAttribute("aria-label", `Curve of ${name}; the slider and the table below tell its values`);
    chart.setScale("x", { min: view[0], max: view[1] });
    this.listen(chart);
    return chart;
  }

  listen(chart) {
    chart.over.addEventListener("wheel", (event) => {
      if (this.on.wheel(event.deltaY, chart.posToVal(event.offsetX, "x"))) event.preventDefault();
    }, { passive: false });
    chart.over.addEventListener("click", (event) => {
      if (!this.dragged) this.on.click(Labels.nearest(this.course.time_s, chart.posToVal(event.offsetX, "x")));
    });
    chart.over.addEventListener("mousedown", () => { this.dragged = false; });
    chart.over.addEventListener("mouseleave", () => this.on.leave());
  }

  selected(chart) {
    const { left, width } = chart.select;
    if (width < 5) return;
    this.dragged = true;
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.on.zoom(chart.posToVal(left, "x"), chart.posToVal(left + width, "x"));
  }

  hovered(chart) {
    const { left, top } = chart.cursor;
    if (this.moving || left === undefined || left < 0) return;
    this.moving = true;
    for (const other of this.charts) if (other !== chart) other.setCursor({ left, top: -10 }, false);
    this.moving = false;
    const row = Labels.nearest(this.course.time_s, chart.posToVal(left, "x"));
    this.on.hover(row, this.charts.indexOf(chart), left + chart.over.offsetLeft, top);
  }

  // What lies below the curves: frames whose face cannot be seen well, cuts, and a lane that names the tracks.
  behind(chart) {
    const { ctx, bbox } = chart;
    const { course, colours } = this;
    const x = (time) => chart.valToPos(time, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const edge = (k) => (k < 0 ? course.time_s[0] - course.step / 2
      : k >= course.n - 1 ? course.time_s[course.n - 1] + course.step / 2 : (course.time_s[k] + course.time_s[k + 1]) / 2);
    for (const [first, last, status] of this.statusSpans) {
      ctx.fillStyle = colours.status[status];
      const left = x(edge(first - 1));
      ctx.fillRect(left, bbox.top, Math.max(1, x(edge(last)) - left), bbox.height);
    }
    const pixel = devicePixelRatio;
    ctx.strokeStyle = colours.strong;
    ctx.lineWidth = pixel;
    ctx.setLineDash([3 * pixel, 3 * pixel]);
    for (const k of this.cuts) {
      const at = x(edge(k));
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.font = `${11 * pixel}px system-ui, sans-serif`;
    ctx.fillStyle = colours.soft;
    if (this.trackSpans.length > 1 && chart === this.charts[0]) {
      for (const [first, last, track] of this.trackSpans) {
        const words = `track ${track}`;
        const [left, right] = [Math.max(x(edge(first - 1)), bbox.left), Math.min(x(edge(last)), bbox.left + bbox.width)];
        if (right - left > ctx.measureText(words).width + 8 * pixel) ctx.fillText(words, left + 4 * pixel, bbox.top + bbox.height - 5 * pixel);
      }
    }
    ctx.restore();
  }

  // What lies on the curves: rows between gaps, anchors, suspects, and the chosen row.
  before(chart, name, lone) {
    const { ctx, bbox } = chart;
    const { course, colours } = this;
    const pixel = devicePixelRatio;
    const [from, to] = [chart.scales.x.min, chart.scales.x.max];
    const place = (k) => [chart.valToPos(course.time_s[k], "x", true), chart.valToPos(course[name][k], "y", true)];
    const seen = (k) => course.time_s[k] >= from && course.time_s[k] <= to && course[name][k] !== null;
    const dot = (k, radius) => {
      ctx.beginPath();
      ctx.arc(...place(k), radius * pixel, 0, 2 * Math.PI);
      ctx.fill();
    };
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left - 6 * pixel, bbox.top, bbox.width + 12 * pixel, bbox.height);
    ctx.clip();
    ctx.setLineDash([]);
    ctx.fillStyle = colours[name];
    for (const k of lone.filter(seen)) dot(k, 1.2);
    ctx.strokeStyle = colours.ground;
    ctx.lineWidth = 1.5 * pixel;
    for (const k of course.anchors.filter(seen)) {
      dot(k, 4.5);
      ctx.stroke();
    }
    ctx.strokeStyle = colours.suspect;
    ctx.lineWidth = 2 * pixel;
    for (const { row } of course.suspects) {
      if (!seen(row)) continue;
      const [x, y] = place(row);
      ctx.strokeRect(x - 7 * pixel, y - 7 * pixel, 14 * pixel, 14 * pixel);
    }
    if (this.chosen !== null && course.time_s[this.chosen] >= from && course.time_s[this.chosen] <= to) {
      const x = chart.valToPos(course.time_s[this.chosen], "x", true);
      ctx.strokeStyle = colours.accent;
      ctx.lineWidth = 1.5 * pixel;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  view(from, to) {
    for (const chart of this.charts) chart.setScale("x", { min: from, max: to });
  }

  choose(row) {
    this.chosen = row;
    for (const chart of this.charts) chart.redraw(false);
  }

  showStraight(on) {
    this.straight = on;
    for (const chart of this.charts) chart.setSeries(4, { show: on });
  }

  resize() {
    for (const chart of this.charts) chart.setSize(this.size());
  }
};

// The circumplex: the rows in view as a trail from faint to strong, anchors as rings, and the row at hand with its
// prediction interval. At most `MOST` rows are drawn: every `n`th, which is returned.
Labels.plane = function (canvas, course, [first, last], at) {
  const MOST = 4000;
  const count = last - first + 1;
  const colours = Labels.colours();
  const side = 320 * devicePixelRatio;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const ctx = canvas.getContext("2d");
  const unit = side / 2.45;
  const x = (valence) => side / 2 + valence * unit;
  const y = (arousal) => side / 2 - arousal * unit;
  const pixel = devicePixelRatio;
  ctx.clearRect(0, 0, side, side);
  ctx.lineWidth = pixel;
  ctx.strokeStyle = colours.line;
  ctx.strokeRect(x(-1), y(1), 2 * unit, 2 * unit);
  ctx.beginPath();
  ctx.arc(side / 2, side / 2, unit, 0, 2 * Math.PI);
  ctx.stroke();
  ctx.strokeStyle = colours.strong;
  ctx.beginPath();
  ctx.moveTo(x(-1), y(0));
  ctx.lineTo(x(1), y(0));
  ctx.moveTo(x(0), y(-1));
  ctx.lineTo(x(0), y(1));
  ctx.stroke();
  ctx.fillStyle = colours.soft;
  ctx.font = `${12 * pixel}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.fillText("valence −1 to +1", side / 2, side - 5 * pixel);
  ctx.save();
  ctx.translate(13 * pixel, side / 2);
  ctx.rotate(-Math.PI / 2);
  ctx.fillText("arousal −1 to +1", 0, 0);
  ctx.restore();
  const known = (k) => course.valence[k] !== null && course.arousal[k] !== null;
  const every = Math.max(1, Math.ceil(count / MOST));
  ctx.fillStyle = colours.accent;
  for (let k = first; k <= last; k += every) {
    if (!known(k)) continue;
    ctx.globalAlpha = 0.12 + (0.55 * (k - first)) / count;
    ctx.beginPath();
    ctx.arc(x(course.valence[k]), y(course.arousal[k]), 2.2 * pixel, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.globalAlpha = 1;
  ctx.strokeStyle = colours.ink;
  for (const k of course.anchors) {
    if (!known(k) || k < first || k > last) continue;
    ctx.beginPath();
    ctx.arc(x(course.valence[k]), y(course.arousal[k]), 5 * pixel, 0, 2 * Math.PI);
    ctx.stroke();
  }
  if (at !== null && known(at)) {
    if (course.valence_lo[at] !== null && course.arousal_lo[at] !== null) {
      ctx.lineWidth = 2 * pixel;
      ctx.strokeStyle = colours.valence;
      ctx.beginPath();
      ctx.moveTo(x(course.valence_lo[at]), y(course.arousal[at]));
      ctx.lineTo(x(course.valence_hi[at]), y(course.arousal[at]));
      ctx.stroke();
      ctx.strokeStyle = colours.arousal;
      ctx.beginPath();
      ctx.moveTo(x(course.valence[at]), y(course.arousal_lo[at]));
      ctx.lineTo(x(course.valence[at]), y(course.arousal_hi[at]));
      ctx.stroke();
    }
    ctx.fillStyle = colours.ink;
    ctx.beginPath();
    ctx.arc(x(course.valence[at]), y(course.arousal[at]), 5.5 * pixel, 0, 2 * Math.PI);
    ctx.fill();
  }
  return every;
};
