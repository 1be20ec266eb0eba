// Sorts and searches the table of videos.
(function () {
  const table = document.getElementById("videos");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  const search = document.getElementById("search");
  const numeric = (text) => text !== "" && !Number.isNaN(Number(text));

  function sort(column, down) {
    const value = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => (numeric(a) && numeric(b) ? a - b : a.localeCompare(b, "en", { numeric: true }));
    const order = rows.slice().sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === "" || b === "") return (a === "") - (b === ""); // what is not known comes last
      return (down ? -1 : 1) * compare(a, b);
    });
    body.replaceChildren(...order);
    heads.forEach((head, k) => {
      if (k === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const name = row.cells[0].textContent.toLowerCase();
      row.hidden = !words.every((word) => name.includes(word));
      count += !row.hidden;
    }
    document.getElementById("found").textContent = words.length ? `${count} of ${rows.length} videos` : `${rows.length} videos`;
  }

  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    sort(column, head.getAttribute("aria-sort") === "ascending");
  }));
  search.addEventListener("input", find);
  search.closest("p").hidden = false;
  find();
})();
