// The rows of the page, unpacked, and what is asked of them. Everything below lives in one object that no page shares.
const Labels = {};

Labels.read = function () {
  const given = JSON.parse(document.getElementById("labels").textContent);
  const kinds = {
    time_s: Float64Array, frame: Int32Array, track: Int32Array, shot: Int32Array, source: Uint8Array, status: Uint8Array,
  };
  const columns = {};
  for (const [name, text] of Object.entries(given.columns)) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const values = new (kinds[name] || Int16Array)(bytes.buffer);
    columns[name] = kinds[name]
      ? Array.from(values)
      : Array.from(values, (steps) => (steps === given.unknown ? null : steps / given.fine));
  }
  const people = [];
  let start = 0;
  for (const one of given.people) {
    people.push({ name: one.name, start, end: start + one.rows });
    start += one.rows;
  }
  return { ...given, columns, people };
};

// The faces that can be chosen: each person, and each track of somebody who has several.
Labels.choices = function (data) {
  const choices = [];
  for (const person of data.people) {
    const tracks = [...new Set(data.columns.track.slice(person.start, person.end))].filter((track) => track >= 0);
    const name = person.name || (tracks.length === 1 ? `track ${tracks[0]}` : "the person labelled");
    choices.push({ person, track: null, name: tracks.length > 1 ? `${name}, all ${tracks.length} tracks` : name });
    if (tracks.length > 1) {
      for (const track of tracks) choices.push({ person, track, name: `${person.name ? `${person.name}, ` : ""}track ${track}` });
    }
  }
  return choices;
};

// The rows of a choice as columns of their own, with what follows from them.
Labels.course = function (data, choice) {
  const rows = [];
  for (let row = choice.person.start; row < choice.person.end; row += 1) {
    if (choice.track === null || data.columns.track[row] === choice.track) rows.push(row);
  }
  const course = { n: rows.length };
  for (const name of Object.keys(data.columns)) course[name] = rows.map((row) => data.columns[name][row]);
  course.source = course.source.map((k) => data.sources[k]);
  course.status = course.status.map((k) => data.statuses[k]);
  course.anchors = Labels.where(course.n, (k) => course.source[k] === "anchor");
  const at = new Map(course.frame.map((frame, k) => [frame, k]));
  course.row = (frame) => at.get(frame);
  course.spans = (of) => Labels.spans(course.n, of);
  course.pictures = data.pictures
    .map(([frame, track, text]) => ({ row: at.get(frame), track, url: `data:image/jpeg;base64,${text}` }))
    .filter((picture) => picture.row !== undefined && course.track[picture.row] === picture.track)
    .sort((a, b) => a.row - b.row);
  course.suspects = data.suspects
    .map((one) => ({ ...one, row: at.get(one.frame) }))
    .filter((one) => one.row !== undefined && (one.track === null || course.track[one.row] === one.track));
  const gaps = course.time_s.slice(1).map((time, k) => time - course.time_s[k]).sort((a, b) => a - b);
  course.step = gaps.length ? gaps[gaps.length >> 1] || 0.04 : 0.04;
  for (const name of ["valence", "arousal"]) course[`${name}_straight`] = Labels.straight(course, name);
  return course;
};

Labels.where = (n, which) => Array.from({ length: n }, (_, k) => k).filter(which);

// Runs of rows for which `of` gives the same: [first, last, what].
Labels.spans = function (n, of) {
  const spans = [];
  for (let k = 0; k < n; k += 1) {
    const what = of(k);
    const last = spans[spans.length - 1];
    if (last && last[2] === what) last[1] = k;
    else spans.push([k, k, what]);
  }
  return spans;
};

// Straight lines between the anchors, the value of the nearest one outside them.
Labels.straight = function (course, name) {
  const known = course.anchors.filter((k) => course[name][k] !== null);
  if (!known.length) return new Array(course.n).fill(null);
  let next = 0;
  return course.time_s.map((time, k) => {
    while (next < known.length && known[next] < k) next += 1;
    const [before, after] = [known[next - 1], known[next]];
    if (before === undefined) return course[name][after];
    if (after === undefined) return course[name][before];
    const share = (time - course.time_s[before]) / (course.time_s[after] - course.time_s[before]);
    return course[name][before] + share * (course[name][after] - course[name][before]);
  });
};

// The row whose time is nearest, by halving.
Labels.nearest = function (times, time) {
  let [low, high] = [0, times.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle;
    else high = middle;
  }
  return Math.abs(times[high] - time) < Math.abs(times[low] - time) ? high : low;
};

// Times and values for people.
Labels.clock = function (time, digits = 2) {
  const rounded = Number(time.toFixed(digits));
  const minutes = Math.floor(rounded / 60);
  if (rounded < 60) return `${rounded.toFixed(digits)} s`;
  const seconds = (rounded - 60 * minutes).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
};
Labels.number = (value) => (value === null ? "–" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`);
Labels.interval = (low, high) => (low === null ? "–" : `${Labels.number(low)} to ${Labels.number(high)}`);
