// Lets the reader step through a table in `<div class="run">`, row by row. Without scripts the whole table shows.
"use strict";

for (const run of document.querySelectorAll(".run")) {
    const rows = [...run.querySelectorAll("tbody tr")];
    if (rows.length === 0) {
        continue;
    }
    let at = 0;
    const bar = document.createElement("div");
    bar.className = "steps";
    const place = document.createElement("span");
    const show = () => {
        rows.forEach((row, nr) => {
            row.classList.toggle("later", nr > at);
            row.classList.toggle("now", nr === at);
        });
        place.textContent = `step ${at + 1} of ${rows.length}`;
    };
    const button = (text, move) => {
        const element = document.createElement("button");
        element.textContent = text;
        element.addEventListener("click", () => {
            at = Math.max(0, Math.min(rows.length - 1, move(at)));
            show();
        });
        bar.append(element);
    };
    button("back", (now) => now - 1);
    button("next", (now) => now + 1);
    button("all", () => rows.length - 1);
    bar.append(place);
    run.append(bar);
    show();
}
