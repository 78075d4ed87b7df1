"use strict";
(() => {
  for (const time of document.querySelectorAll("time[data-ms]")) {
    time.textContent = new Date(Number(time.dataset.ms)).toLocaleString();
  }
  const table = document.getElementById("mappings");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const lines = [...document.querySelectorAll("#ledger tbody tr")];
  let kind = null;

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = (kind === null || row.dataset.kind === kind) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    count.textContent = `${shown} of ${rows.length}` + (kind === null ? "" : `: ${kind}`);
  };

  const choose = (line) => {
    kind = line === null || kind === line.dataset.kind ? null : line.dataset.kind;
    for (const other of lines) {
      other.classList.toggle("m-on", other.dataset.kind === kind);
    }
    show();
  };

  for (const line of lines) {
    line.addEventListener("click", () => {
      choose(line);
      table.scrollIntoView({ behavior: "smooth", block: "nearest" });
    });
    line.addEventListener("keydown", (event) => {
      if (event.key === "Enter") choose(line);
    });
  }
  document.getElementById("all").addEventListener("click", () => {
    search.value = "";
    choose(null);
  });
  search.addEventListener("input", show);

  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.addEventListener("click", () => {
      const isDown = head.classList.contains("m-down") ? false : head.dataset.by === "number" || head.classList.contains("m-up");
      for (const other of table.tHead.rows[0].cells) other.classList.remove("m-down", "m-up");
      head.classList.add(isDown ? "m-down" : "m-up");
      const value = (row) => row.cells[column].dataset.n ?? row.cells[column].textContent;
      const order = head.dataset.by === "number"
        ? (one, other) => Number(value(one)) - Number(value(other))
        : (one, other) => value(one).localeCompare(value(other));
      rows.sort((one, other) => (isDown ? order(other, one) : order(one, other)));
      body.append(...rows);
    });
  });
  show();
})();
